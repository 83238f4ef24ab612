#!/bin/sh
# Calls over bad networks, between real clients, and what people notice of them: benches/README.md. NET=quick is rough and takes
# minutes. ROWS=loss,narrow takes only scenarios whose names contain one of the words. NET_AGAINST=srs:PROGRAM plays them against
# SRS too.
set -eu
cd "$(dirname "$0")/.."

scripts/setup-build.sh
scripts/setup-tests.sh
scripts/setup-netbench.sh
cargo build --locked --release -p queqiao -p queqiao-link
QUEQIAO_BIN=${QUEQIAO_BIN:-${CARGO_TARGET_DIR:-target}/release/queqiao} exec node benches/net/run.mjs
