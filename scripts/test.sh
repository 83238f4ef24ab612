#!/bin/sh
# All tests: Rust, then JavaScript, then the server itself between real clients.
set -eu
cd "$(dirname "$0")/.."
gate=test
. scripts/steps.sh

scripts/setup-build.sh
step "clients for the end-to-end tests" scripts/setup-tests.sh
step "Rust" cargo test --locked --workspace
step "release build" cargo build --locked --release
step "page" node --test web-client/test/*.test.mjs
# One file at a time: the tests measure delays, and the clients want the cores for themselves.
step "end to end" node --test --test-concurrency=1 tests/*.test.mjs
