"""A film whose every frame carries its own number, as eight bars of black and white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.media.engine import run

RATE, SECONDS, HERTZ = 25, 3, 440
_BITS = 8


def counted(folder: Path) -> Path:
    """75 frames of 320x180 and a tone of 440 Hz, in codecs that no preset copies."""
    target = folder / "counted.mkv"
    bars = f"255*mod(floor(N/pow(2,floor(X*{_BITS}/W))),2)"
    run(
        *("-f", "lavfi", "-i", f"color=gray:s=320x180:r={RATE}:d={SECONDS}"),
        *("-f", "lavfi", "-i", f"sine={HERTZ}:r=48000:d={SECONDS}"),
        *("-vf", f"format=yuv420p,geq=lum='{bars}':cb=128:cr=128", "-c:v", "ffv1"),
        *("-g", RATE, "-color_range", "tv", "-c:a", "pcm_s16le", target),
    )
    return target


def number(row: Sequence[tuple[int, int, int]]) -> int:
    """The number that a row of the picture carries."""
    width = len(row) / _BITS
    return sum(1 << bit for bit in range(_BITS) if row[int((bit + 0.5) * width)][0] > 127)
