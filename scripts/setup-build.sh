#!/bin/sh
# Installs what the build needs beside Rust: cmake and a C compiler (Opus, aws-lc), a C++ compiler (FDK-AAC),
# OpenSSL (DTLS).
# Does nothing when all of it is there.
set -eu

command -v cargo >/dev/null 2>&1 || {
  echo "setup-build: cargo is not on the PATH: install Rust (https://rustup.rs)" >&2
  exit 1
}

packages=
command -v cmake >/dev/null 2>&1 || packages="$packages cmake"
command -v cc >/dev/null 2>&1 || packages="$packages gcc libc6-dev"
command -v c++ >/dev/null 2>&1 || packages="$packages g++"
command -v make >/dev/null 2>&1 || packages="$packages make"
command -v pkg-config >/dev/null 2>&1 || packages="$packages pkg-config"
pkg-config --exists openssl 2>/dev/null || packages="$packages libssl-dev"
[ -n "$packages" ] || exit 0

command -v apt-get >/dev/null 2>&1 || {
  echo "setup-build: please install:$packages" >&2
  exit 1
}
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update
# shellcheck disable=SC2086 # a list of words on purpose
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
