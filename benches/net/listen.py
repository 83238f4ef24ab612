"""Judges received speech against what was sent.

    listen.py REFERENCE RECEIVED

Both are 16-bit samples of one channel at 48 kHz. REFERENCE is repeated by its sender for ever; RECEIVED is an excerpt of it as
it was heard, in the time in which it was presented. Prints one JSON object:

    segments  [[position, source, score]…]  the middle of a second of RECEIVED, where in REFERENCE it is, both in seconds, and
                                            how alike the two are (normalised cross-correlation)
    pesq      [[position, value]…]          PESQ, wide band (ITU-T P.862.2), of eight seconds each
    missing   share of the sound that should have been heard and was not, in frames of 20 ms
    gap       the longest time of this, in seconds
    judged    how many frames that was measured on
"""

import json
import sys

import numpy as np
import pesq

RATE = 48_000
PESQ_RATE = 16_000
ALIGN_RATE = 8_000

SEGMENT_S = 1.0
HOP_S = 0.5
# Below this a second is found anywhere: speech is louder by far.
QUIET = 10 ** (-45 / 20)
# Concealed and transcoded speech is above 0.8; another place of the text below 0.4.
ALIKE = 0.6

PESQ_S = 8.0
# What PESQ gives when there is nothing like the reference.
WORST = 1.04

FRAME_S = 0.02
# A frame is missing when it is weaker than this beside what was sent.
LOST = 10 ** (-20 / 20)


def read(path):
    return np.fromfile(path, dtype="<i2").astype(np.float64) / 32768


def decimate(samples, factor):
    taps = np.arange(-16 * factor, 16 * factor + 1)
    low_pass = np.sinc(taps / factor) * np.hanning(len(taps)) / factor
    return np.convolve(samples, low_pass, mode="same")[::factor]


class Aligner:
    """Finds pieces of sound in the reference."""

    def __init__(self, reference):
        self.period = len(reference)
        self.length = int(SEGMENT_S * ALIGN_RATE)
        # What begins near the end goes on at the start.
        around = np.concatenate([reference, reference[: self.length]])
        self.size = 1 << (len(around) + self.length).bit_length()
        self.spectrum = np.fft.rfft(around, self.size)
        energy = np.concatenate([[0], np.cumsum(around**2)])
        self.energy = energy[self.length :][: self.period] - energy[: self.period]

    def find(self, piece):
        """(position in samples, likeness), or None for a quiet piece."""
        power = np.sum(piece**2)
        if power < QUIET**2 * len(piece):
            return None
        correlation = np.fft.irfft(self.spectrum * np.conj(np.fft.rfft(piece, self.size)), self.size)[: self.period]
        likeness = correlation / np.sqrt(np.maximum(self.energy, QUIET**2 * self.length) * power)
        best = int(np.argmax(likeness))
        return best, float(likeness[best])


def align(reference, received):
    aligner = Aligner(reference)
    segments = []
    hop = int(HOP_S * ALIGN_RATE)
    for start in range(0, len(received) - aligner.length + 1, hop):
        found = aligner.find(received[start : start + aligner.length])
        if found and found[1] >= ALIKE:
            segments.append((start / ALIGN_RATE, found[0] / ALIGN_RATE, found[1]))
    return segments


def source_at(segments, seconds, position):
    """Where in the reference a position is, by the nearest segment."""
    start, source, _ = min(segments, key=lambda segment: abs(segment[0] + SEGMENT_S / 2 - position))
    return (source + position - start) % seconds


def piece(samples, rate, start, seconds):
    """A part of a sound that repeats."""
    first = int(round(start * rate))
    return samples[(first + np.arange(int(round(seconds * rate)))) % len(samples)]


def judge(reference, received, segments):
    values = []
    seconds = len(reference) / PESQ_RATE
    position = 0.0
    while position + PESQ_S <= len(received) / PESQ_RATE:
        heard = received[int(position * PESQ_RATE) : int((position + PESQ_S) * PESQ_RATE)]
        inside = [s for s in segments if position <= s[0] <= position + PESQ_S - SEGMENT_S]
        if inside:
            start = (inside[0][1] - (inside[0][0] - position)) % seconds
            value = pesq.pesq(PESQ_RATE, piece(reference, PESQ_RATE, start, PESQ_S), heard, "wb", pesq.PesqError.RETURN_VALUES)
            # A negative value is an error: nothing in it is speech.
            values.append((position, float(value) if value > 0 else WORST))
        else:
            values.append((position, WORST))
        position += PESQ_S / 2
    return values


def levels(samples):
    count = int(FRAME_S * PESQ_RATE)
    frames = samples[: len(samples) // count * count].reshape(-1, count)
    return np.sqrt(np.mean(frames**2, axis=1))


def missing(reference, received, segments):
    if not segments:
        return 1.0, len(received) / PESQ_RATE, 0
    seconds = len(reference) / PESQ_RATE
    loudness = levels(received)
    # The place is known to some milliseconds: neighbours count.
    around = np.maximum(loudness, np.maximum(np.append(loudness[1:], 0), np.insert(loudness[:-1], 0, 0)))
    judged = lost = longest = run = 0
    for i, level in enumerate(around[: len(around) - 1]):
        start = source_at(segments, seconds, i * FRAME_S)
        sent = np.sqrt(np.mean(piece(reference, PESQ_RATE, start, FRAME_S) ** 2))
        if sent < QUIET:
            # A pause of the speaker hides whether anything is there.
            run = run + 1 if run else 0
            continue
        judged += 1
        if level < sent * LOST:
            lost += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    return lost / max(1, judged), longest * FRAME_S, judged


def main(reference_path, received_path):
    reference, received = read(reference_path), read(received_path)
    segments = align(decimate(reference, RATE // ALIGN_RATE), decimate(received, RATE // ALIGN_RATE))
    wide, heard = decimate(reference, RATE // PESQ_RATE), decimate(received, RATE // PESQ_RATE)
    share, gap, judged = missing(wide, heard, segments)
    middle = SEGMENT_S / 2
    report = {
        "segments": [(start + middle, source + middle, score) for start, source, score in segments],
        "pesq": judge(wide, heard, segments),
        "missing": share,
        "gap": gap,
        "judged": judged,
    }
    print(json.dumps(report))


main(*sys.argv[1:])
