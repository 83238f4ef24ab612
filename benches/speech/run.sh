#!/bin/sh
# PESQ of speech through both transcoders on paths that lose packets; everything from a seed, in virtual time.
set -eu

cd "$(dirname "$0")/../.."
scripts/setup-netbench.sh
cache=.cache/netbench
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo bench --locked --quiet -p queqiao-transcode --bench speech -- "$PWD/$cache/speech.s16" "$folder" >"$folder/names"
$cache/venv/bin/python benches/speech/score.py $cache/speech.s16 "$folder" <"$folder/names"
