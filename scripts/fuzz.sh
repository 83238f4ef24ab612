#!/bin/sh
# Fuzzes everything that reads bytes from strangers, each target for FUZZ_SECONDS (60). Arguments go to the harness
# instead: its subcommands are run, replay and list. fuzz/README.md has more.
set -eu
cd "$(dirname "$0")/.."

scripts/setup-build.sh

# Arithmetic that overflows and assertions that fail are faults here, and every branch counts how often it was taken.
export CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true
export CARGO_PROFILE_RELEASE_LTO=off
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
pass="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3"
pass="$pass -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
export RUSTFLAGS="${RUSTFLAGS-} $pass"
# Named, so that build scripts and macros do without all of this.
host=$(rustc -vV | sed -n 's/^host: //p')
# Apart from the ordinary build, which these settings would otherwise replace.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz"

[ $# -gt 0 ] || set -- run --seconds "${FUZZ_SECONDS:-60}"
exec cargo run --locked --release --target "$host" -p queqiao-fuzz -- "$@"
