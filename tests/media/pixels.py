"""Look at single pixels of a film."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from media.ffmpeg.tools import ffmpeg
from tests.patience import WAIT_S


@dataclass(frozen=True)
class Shot:
    """A frame as RGB, or as its three planes of full size."""

    width: int
    height: int
    data: bytes
    planar: bool

    def at(self, x: int, y: int) -> tuple[int, int, int]:
        """The three values of a pixel."""
        plane, place = self.width * self.height, y * self.width + x
        places = range(place, 3 * plane, plane) if self.planar else range(3 * place, 3 * place + 3)
        a, b, c = (self.data[n] for n in places)
        return a, b, c

    def luma(self, x: int, y: int) -> int:
        """The first value of a pixel: its luma, if the shot is YUV."""
        return self.at(x, y)[0]


def shot(path: Path, number: int, size: tuple[int, int], pixel_format: str = "rgb24") -> Shot:
    """Frame `number` (from 0) as `rgb24` (by the file's own tags) or `yuv444p` (as it is)."""
    command = (
        *(ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-i", path, "-map", "0:v:0"),
        *(
            "-vf",
            f"select='eq(n,{number})',scale=flags=accurate_rnd+neighbor,format={pixel_format}",
        ),
        *("-frames:v", "1", "-f", "rawvideo", "-"),
    )
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=WAIT_S)
    width, height = size
    assert len(done.stdout) == 3 * width * height
    return Shot(width, height, done.stdout, planar=pixel_format == "yuv444p")
