#!/bin/sh
# All tests: Rust, then JavaScript, then the server itself between real clients.
set -eu
cd "$(dirname "$0")/.."
gate=test
. scripts/steps.sh

# One file at a time: the tests measure delays, and the clients want the cores for themselves. They measure real time,
# so a machine that stands still for a moment fails them, as virtual ones do: a file that fails is run once more, and
# then counts.
end_to_end() {
  failed=
  for file in tests/*.test.mjs; do
    node --test --test-concurrency=1 "$file" || failed="$failed $file"
  done
  if [ -n "$failed" ]; then
    printf '\nonce more:%s\n' "$failed"
    # shellcheck disable=SC2086 # a list of files on purpose
    node --test --test-concurrency=1 $failed
  fi
}

scripts/setup-build.sh
step "clients for the end-to-end tests" scripts/setup-tests.sh
step "Rust" cargo test --locked --workspace
# Arithmetic is checked in these, and most of it is built by now.
step "binaries" cargo build --locked -p queqiao -p queqiao-link -p queqiao-peer
target=${CARGO_TARGET_DIR:-target}/debug
export QUEQIAO_BIN="$target/queqiao" QUEQIAO_LINK="$target/queqiao-link" QUEQIAO_PEER_BIN="$target/queqiao-peer"
step "JavaScript" node --test web-client/test/*.test.mjs miniprogram/test/*.test.mjs miniprogram/emulator/test/*.test.mjs benches/net/*.test.mjs
step "end to end" end_to_end
