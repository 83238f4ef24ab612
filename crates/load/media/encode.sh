#!/bin/sh
# Encodes what the load clients send, as a phone would: 360x640, 15 frames a second, 600 kbit/s in all but the sound,
# a keyframe every three seconds, AAC mono at 48 kbit/s with a beep once a second. Arguments: the FLV file to write, and
# its length in seconds.
set -eu

sound='0.1*sin(2*PI*220*t)+0.04*(random(0)*2-1)+0.6*sin(2*PI*1000*t)*lt(mod(t,1),0.05)'
exec ffmpeg -nostdin -v error -y \
  -f lavfi -i 'testsrc2=size=360x640:rate=15,noise=alls=24:allf=t' \
  -f lavfi -i "aevalsrc='$sound':s=48000:c=mono" \
  -t "$2" -c:v libx264 -pix_fmt yuv420p -profile:v baseline -preset veryfast -tune zerolatency -bf 0 -refs 1 \
  -g 45 -keyint_min 45 -sc_threshold 0 -b:v 600k -maxrate 600k -bufsize 600k -threads 1 \
  -c:a aac -ar 48000 -ac 1 -b:a 48k -flvflags no_duration_filesize -f flv "$1"
