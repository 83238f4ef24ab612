#!/bin/sh
# Fuzzes everything that reads bytes from strangers. Arguments go to the harness.
set -eu
cd "$(dirname "$0")/.."

scripts/setup-build.sh
exec cargo run --locked --release --manifest-path fuzz/Cargo.toml -- "$@"
