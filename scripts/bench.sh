#!/bin/sh
# Measures the release build: the crates first, then the server between real clients.
set -eu
cd "$(dirname "$0")/.."

scripts/setup-build.sh
scripts/setup-tests.sh
cargo build --locked --release
for bench in benches/*.mjs; do
  if [ -f "$bench" ]; then node "$bench"; fi
done
