"""PESQ-WB (ITU-T P.862.2) of what `speech` wrote against what it was given, one row for each file.

    score.py SPEECH FOLDER < names and bitrates
"""

import subprocess
import sys

import numpy
from pesq import PesqError, pesq

RATE = 16_000
# PESQ is made for sentences, not for minutes.
SEGMENT = 8 * RATE
# A tenth of a second in which speech was sent and nothing is heard is a hole.
WINDOW = RATE // 10


def read(path):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", path, "-ar", str(RATE)]
    out = subprocess.run([*command, "-f", "s16le", "-"], check=True, stdout=subprocess.PIPE).stdout
    return numpy.frombuffer(out, dtype="<i2")


def quality(sent, heard):
    scores = []
    for start in range(0, len(sent) - SEGMENT + 1, SEGMENT):
        part = slice(start, start + SEGMENT)
        try:
            scores.append(pesq(RATE, sent[part], heard[part], "wb"))
        except PesqError:
            continue  # nothing is said here
    return numpy.array(scores)


def levels(sound):
    whole = sound[: len(sound) // WINDOW * WINDOW].astype(float).reshape(-1, WINDOW)
    return numpy.sqrt((whole**2).mean(axis=1))


def main(speech, folder):
    sent = read(speech)
    loud = levels(sent) > 300
    print(f"{'direction':<16}{'loss':<16}{'NACK':<6}{'FEC':<6}{'kbit/s':>7}{'PESQ':>7}{'worst':>7}{'under lossless':>16}{'holes':>7}")
    best = {}
    for line in sys.stdin:
        name, kilobits = line.strip().split("\t")
        heard = read(f"{folder}/{name}")[: len(sent)]
        direction, loss, repair, fec = name.removesuffix(".s16").split("_")
        scores = quality(sent[: len(heard)], heard)
        score = scores.mean()
        best.setdefault(direction, score)
        holes = int((loud[: len(levels(heard))] & (levels(heard) < 10)).sum())
        print(
            f"{direction.replace('-', ' '):<16}{loss.replace('-', ' '):<16}{repair:<6}{fec:<6}{float(kilobits):>7.1f}"
            f"{score:>7.2f}{scores.min():>7.2f}{best[direction] - score:>16.2f}{holes:>7}"
        )


main(*sys.argv[1:])
