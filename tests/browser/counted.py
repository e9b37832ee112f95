"""A film whose every frame carries its own number, as bars of black and white.

The upper half has the number, twelve bars for twelve bits; the lower half has it once more, with
black and white changed. So a blend of two frames, or a smeared one, is no number at all. The bars
are parts of the width: they are read in any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.media.engine import run

RATE, SECONDS, HERTZ = 25, 3, 440
BARS = 12
_SURE = 48
"""So far from grey must a bar be. Encoders smear; a blend of two numbers has grey bars."""


def counted(
    target: Path, *, rate: int | str = RATE, seconds: float = SECONDS, size: str = "320x180"
) -> Path:
    """A film of at most 4096 frames with a tone of 440 Hz, in codecs that no preset copies."""
    bit = f"mod(floor(N/pow(2,floor(X*{BARS}/W))),2)"
    bars = f"255*if(lt(Y,H/2),{bit},1-{bit})"
    large = f"scale={size}:flags=neighbor,setsar=1"
    run(
        # Drawn small, and made large: FFmpeg asks the formula for every pixel.
        *("-f", "lavfi", "-i", f"color=gray:s={2 * BARS}x4:r={rate}:d={seconds}"),
        *("-f", "lavfi", "-i", f"sine={HERTZ}:r=48000:d={seconds}"),
        *("-vf", f"format=yuv420p,geq=lum='{bars}':cb=128:cr=128,{large}"),
        *("-c:v", "ffv1", "-g", 25, "-color_range", "tv", "-c:a", "pcm_s16le", target),
    )
    return target


def number(upper: Sequence[int], lower: Sequence[int]) -> int | None:
    """The number that a picture carries, from how light its bars are; None if they tell none."""
    bits, changed = _bits(upper), _bits(lower)
    if None in bits or any(a == b for a, b in zip(bits, changed, strict=True)):
        return None
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def _bits(lights: Sequence[int]) -> list[bool | None]:
    return [None if abs(light - 127.5) < _SURE else light > 127.5 for light in lights]
