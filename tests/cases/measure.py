"""What is in a file, measured by decoding it: times, levels, tones."""

from __future__ import annotations

from array import array
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


def sound(path: Path, rate: int = 48_000) -> tuple[float, array[float]]:
    """When the sound begins, in seconds, and its samples as mono at `rate`."""
    samples, begin = array("f"), None
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    with av.open(f"file:{path}") as container:
        for frame in container.decode(audio=0):
            begin = frame.time if begin is None else begin
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * 4])
    return begin or 0.0, samples


def beep_time(path: Path, level: float = 0.1) -> float:
    """When the sound first exceeds `level`, in seconds."""
    begin, samples = sound(path)
    return begin + next(n for n, sample in enumerate(samples) if abs(sample) > level) / 48_000
