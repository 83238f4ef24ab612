#!/bin/sh
# Measures the release build from outside and prints a table. BENCH=quick is rough and takes minutes; BENCH=full, the
# default, wants a machine of its own. ROWS=cpu,glass takes only the rows whose names contain one of the words.
set -eu
cd "$(dirname "$0")/.."

media=.cache/bench/media.flv

scripts/setup-build.sh
scripts/setup-tests.sh
cargo build --locked --release -p queqiao -p queqiao-bench -p queqiao-link
if [ ! -f $media ] || [ crates/load/media/encode.sh -nt $media ]; then
  mkdir -p .cache/bench
  crates/load/media/encode.sh $media 25
fi
QUEQIAO_BIN=${CARGO_TARGET_DIR:-target}/release/queqiao exec node benches/run.mjs
