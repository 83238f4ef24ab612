"""The test source in Python: the same bar code and sound as `barcode.mjs` and `sound.mjs`, and their reader."""

import math
import struct
import time

WIDTH, HEIGHT, FPS = 360, 640, 15
RATE = 48_000
FLASH_FRAMES = 2
CLOCK_MODULUS = 2**31
WHITE, BLACK, GREY = 235, 16, 110
LEFT, TOP, CELL_WIDTH, CELL_HEIGHT = 1 / 18, 1 / 32, 1 / 9, 1 / 16
FLASH_TOP, FLASH_HEIGHT = 0.6, 0.35
TONE_LEVEL, BEEP_LEVEL, BEEP_HZ, BEEP_SECONDS = 0.2, 0.5, 1000, 0.05


def crc8(data):
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07) & 0xFF if crc & 0x80 else (crc << 1) & 0xFF
    return crc


def clock_now():
    return int(time.time() * 1000) % CLOCK_MODULUS


def paint(index):
    """One luma plane that carries a frame number, the clock and, once a second, the flash."""
    flash = index % FPS < FLASH_FRAMES
    head = struct.pack(">BHI", index >> 16, index & 0xFFFF, clock_now() | (0x80000000 if flash else 0))
    code = head + bytes([crc8(head)])
    rows = [bytes([GREY]) * WIDTH] * HEIGHT
    edges = [round((LEFT + column * CELL_WIDTH) * WIDTH) for column in range(9)]
    margin = bytes([GREY]) * edges[0]
    for row, byte in enumerate(code):
        line = margin
        for column in range(8):
            luma = WHITE if byte >> (7 - column) & 1 else BLACK
            line += bytes([luma]) * (edges[column + 1] - edges[column])
        line += bytes([GREY]) * (WIDTH - len(line))
        top = round((TOP + row * CELL_HEIGHT) * HEIGHT)
        bottom = round((TOP + (row + 1) * CELL_HEIGHT) * HEIGHT)
        rows[top:bottom] = [line] * (bottom - top)
    line = margin + bytes([WHITE if flash else BLACK]) * (WIDTH - 2 * edges[0]) + margin
    top, bottom = round(FLASH_TOP * HEIGHT), round((FLASH_TOP + FLASH_HEIGHT) * HEIGHT)
    rows[top:bottom] = [line] * (bottom - top)
    return b"".join(rows)


def sound(tone, start, count):
    """`count` 16-bit samples of one channel at 48 kHz, from sample `start` on."""
    samples = []
    for i in range(start, start + count):
        t = i / RATE
        value = TONE_LEVEL * math.sin(2 * math.pi * tone * t)
        if t % 1 < BEEP_SECONDS:
            value += BEEP_LEVEL * math.sin(2 * math.pi * BEEP_HZ * t)
        samples.append(round(value * 32767))
    return struct.pack(f"<{count}h", *samples)


def read(plane, stride, width, height):
    """(number, clock, flash) of a luma plane, or None when it shows no valid code."""
    cells = []
    for row in range(8):
        y = int((TOP + (row + 0.5) * CELL_HEIGHT) * height)
        for column in range(8):
            x = int((LEFT + (column + 0.5) * CELL_WIDTH) * width)
            cells.append(plane[y * stride + x])
    dark, bright = min(cells), max(cells)
    if bright - dark < 60:
        return None
    threshold = (dark + bright) / 2
    code = bytes(sum(0x80 >> i for i in range(8) if cells[row * 8 + i] > threshold) for row in range(8))
    if crc8(code[:7]) != code[7]:
        return None
    high, low, clock = struct.unpack(">BHI", code[:7])
    return high << 16 | low, clock & 0x7FFFFFFF, bool(clock & 0x80000000)
