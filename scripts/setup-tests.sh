#!/bin/sh
# Installs the real clients that the end-to-end tests drive. Safe to run again; fast when nothing is missing.
set -eu

cd "$(dirname "$0")/.."
cache=.cache
venv=$cache/venv
stamp=$cache/setup-tests.stamp

packages="chromium ffmpeg rtmpdump curl
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice
  gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0 python3-gi python3-venv"

python_packages="aiortc==1.16.0 aioice==0.13.0 av==18.1.0 imageio-ffmpeg==0.8.1"

key=$(cat "$0" package-lock.json | sha256sum | cut -d' ' -f1)

tools_present() {
  for tool in chromium ffmpeg ffprobe rtmpdump gst-launch-1.0; do
    command -v "$tool" >/dev/null 2>&1 || return 1
  done
  /usr/bin/python3 -c 'import gi, venv, ensurepip; gi.require_version("GstWebRTC", "1.0")' 2>/dev/null || return 1
  # Not --exists: it compares versions, and libnice counts its own.
  for element in webrtcbin rtmp2sink nicesrc x264enc avenc_aac avdec_h264; do
    gst-inspect-1.0 $element >/dev/null 2>&1 || return 1
  done
}

venv_present() {
  [ -x $venv/bin/python ] && $venv/bin/python -c 'import aiortc, av, imageio_ffmpeg' 2>/dev/null
}

if [ -f $stamp ] && [ "$(cat $stamp)" = "$key" ] && tools_present && [ -x $venv/bin/python ] &&
  [ -d node_modules/playwright-core ]; then
  exit 0
fi

if ! tools_present; then
  as_root=
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  $as_root apt-get update
  # shellcheck disable=SC2086 # a list of words on purpose
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
  tools_present || {
    echo "setup-tests: the packages are installed but a tool or GStreamer element is missing" >&2
    exit 1
  }
fi

if ! venv_present || ! $venv/bin/pip freeze 2>/dev/null | grep -qx 'aiortc==1.16.0'; then
  rm -rf $venv
  mkdir -p $cache
  /usr/bin/python3 -m venv $venv
  # shellcheck disable=SC2086
  $venv/bin/pip install --quiet --disable-pip-version-check $python_packages
  venv_present || {
    echo "setup-tests: the Python clients do not import" >&2
    exit 1
  }
fi

if [ ! -d node_modules/playwright-core ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
mkdir -p $cache
echo "$key" >$stamp
