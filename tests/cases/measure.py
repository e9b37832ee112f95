"""What is in a file, measured by decoding it: times, levels, tones."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av


@dataclass(frozen=True)
class Shown:
    """A decoded picture: its time in seconds, and its brightness left and right (0 to 255)."""

    time: float
    left: int
    right: int


def pictures(path: Path) -> list[Shown]:
    """Every picture, in the order in which it is shown; brightness at mid-height."""
    with av.open(f"file:{path}") as container:
        found = []
        for frame in container.decode(video=0):
            luma = frame.planes[0]
            row = memoryview(luma)[frame.height // 2 * luma.line_size :]
            assert frame.time is not None
            found.append(Shown(frame.time, row[frame.width // 4], row[frame.width * 3 // 4]))
        return found


def sound(path: Path, layout: str = "mono") -> tuple[float, array[float]]:
    """When the sound begins, in seconds, and its samples at 48 kHz, interleaved."""
    samples, begin = array("f"), None
    resampler = av.AudioResampler(format="flt", layout=layout, rate=48_000)
    width = 4 * resampler.layout.nb_channels
    with av.open(f"file:{path}") as container:
        for frame in container.decode(audio=0):
            begin = frame.time if begin is None else begin
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * width])
    return begin or 0.0, samples


def beep_time(path: Path, level: float = 0.1) -> float:
    """When the sound first exceeds `level`, in seconds."""
    begin, samples = sound(path)
    return begin + next(n for n, sample in enumerate(samples) if abs(sample) > level) / 48_000


def level_db(samples: Sequence[float], hertz: float) -> float:
    """Peak level of a tone in dBFS; `samples` at 48 kHz, a whole number of its periods long."""
    angles = [2 * math.pi * hertz * n / 48_000 for n in range(len(samples))]
    real = sum(x * math.cos(angle) for x, angle in zip(samples, angles, strict=True))
    imaginary = sum(x * math.sin(angle) for x, angle in zip(samples, angles, strict=True))
    return 20 * math.log10(2 * math.hypot(real, imaginary) / len(samples) + 1e-9)
