#!/bin/sh
# Everything that can be said of the code without running it.
set -eu
cd "$(dirname "$0")/.."
gate=check
. scripts/steps.sh

deny_version=0.20.2
tools=.cache/tools

# The most lines of code in a file: those above its unit tests that are neither blank nor comment.
max_lines=400

shell_syntax() {
  for script in scripts/*.sh .ci/run; do
    sh -n "$script"
  done
  if command -v shellcheck >/dev/null 2>&1; then
    shellcheck -x scripts/*.sh .ci/run
  fi
}

file_sizes() {
  find src crates/*/src web-client/core web-client/sdk web-client/page miniprogram/src miniprogram/emulator/src miniprogram/demo \( -name '*.rs' -o -name '*.js' \) ! -name 'tests.rs' ! -path 'miniprogram/demo/lib/*' | sort |
    xargs awk -v max=$max_lines '
      FNR == 1 { report(); file = FILENAME; lines = 0; in_tests = 0 }
      /^#\[cfg\(test\)\]/ { in_tests = 1 }
      !in_tests && !/^[ \t]*(\/\/.*|\/\*.*|\*.*)?$/ { lines++ }
      function report() {
        if (lines > max) { printf "%s has %d lines of code, more than %d\n", file, lines, max; failed = 1 }
      }
      END { report(); exit failed }'
}

install_node_modules() {
  if [ ! -d node_modules/typescript ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund
  fi
}

javascript() {
  install_node_modules
  npx --no-install tsc --noEmit -p web-client
  npx --no-install tsc --noEmit -p web-client/core
  npx --no-install tsc --noEmit -p miniprogram
  npx --no-install tsc --noEmit -p miniprogram/demo
  npx --no-install tsc --noEmit -p miniprogram/emulator
  npx --no-install tsc --noEmit -p tests
  npx --no-install tsc --noEmit -p benches
  npx --no-install eslint web-client miniprogram tests benches
  node miniprogram/scripts/build.mjs --check
}

deny_command() {
  if [ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $deny_version" ]; then
    echo cargo-deny
    return
  fi
  if [ "$($tools/bin/cargo-deny --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
    # Unoptimised: it compiles in half the time and runs for seconds.
    cargo install cargo-deny --version $deny_version --locked --debug --root $tools >&2
  fi
  echo $tools/bin/cargo-deny
}

dependencies() {
  deny=$(deny_command)
  "$deny" check licenses bans sources
  if "$deny" fetch db >/dev/null 2>&1; then
    "$deny" check advisories
  else
    echo "the advisory database cannot be reached: advisories are not checked"
  fi
}

scripts/setup-build.sh
step "shell syntax" shell_syntax
step "file sizes" file_sizes
step "rustfmt" cargo fmt --all --check
step "JavaScript: types and lint" javascript
step "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
step "clippy without FDK-AAC" cargo clippy --locked -p queqiao-transcode --no-default-features -- -D warnings
step "documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --document-private-items
step "dependencies" dependencies
