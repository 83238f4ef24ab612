#!/bin/sh
# What the network bench needs beside the tests' clients: speech to send, and PESQ (ITU-T P.862) to judge what arrives.
# Safe to run again; fast when nothing is missing.
set -eu

cd "$(dirname "$0")/.."
cache=.cache/netbench
venv=$cache/venv
text=benches/net/speech.txt
speech=$cache/speech.s16
packages="pesq==0.0.4 numpy==2.4.6"
# Everything that is said is said once: sound is found again by what it is.
seconds=60

if ! command -v espeak-ng >/dev/null 2>&1; then
  as_root=
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  $as_root apt-get update
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends espeak-ng
fi

if ! [ -x $venv/bin/python ] || ! $venv/bin/python -c 'import numpy, pesq' 2>/dev/null; then
  # PESQ is C: it is compiled here.
  if ! /usr/bin/python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-dev gcc
  fi
  mkdir -p $cache
  /usr/bin/python3 -m venv $venv
  # shellcheck disable=SC2086 # a list of words on purpose
  $venv/bin/pip install --quiet --disable-pip-version-check $packages
fi

if [ ! -f $speech ] || [ $text -nt $speech ]; then
  mkdir -p $cache
  # A woman and a man, in turns.
  line=0
  : >$cache/parts.txt
  while IFS= read -r sentence; do
    line=$((line + 1))
    voice=en-gb+f3
    [ $((line % 2)) -eq 0 ] || voice=en-us+m3
    espeak-ng -v $voice -s 150 -w "$cache/part-$line.wav" "$sentence"
    echo "file part-$line.wav" >>$cache/parts.txt
  done <$text
  ffmpeg -v error -y -f concat -i $cache/parts.txt -af "apad,atrim=0:$seconds,volume=-6dB" -ar 48000 -ac 1 -f s16le $speech.new
  rm $cache/part-*.wav $cache/parts.txt
  mv $speech.new $speech
fi
