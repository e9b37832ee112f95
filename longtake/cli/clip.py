"""A clip for the demonstration: made by the engine's FFmpeg, hard enough to be worth encoding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from longtake.cli.engine import engine_environment, require_engine
from longtake.errors import LongtakeError

SECONDS = 12
_SIZE = "1280x720"
_RATE = 25

_SKY = f"gradients=size={_SIZE}:rate={_RATE}:speed=0.02:nb_colors=6:seed=7"
_LIFE = (
    f"life=size=320x180:rate={_RATE}:ratio=0.1:mold=10:seed=7:"
    "death_color=#C83232:life_color=#00ff00"
)
_SOUND = "sine=frequency=330:beep_factor=4"
_PICTURE = (
    "[1]scale=1280:720:flags=neighbor,format=gbrp[life];[0]format=gbrp[sky];"
    "[sky][life]blend=all_mode=screen,format=yuv420p"
)


def make_clip(path: Path) -> None:
    """A game of life before a moving sky, with sound. Raises CapabilityMissing, LongtakeError."""
    command = [
        *(_ffmpeg(), "-v", "error", "-nostdin"),
        *("-f", "lavfi", "-i", _SKY, "-f", "lavfi", "-i", _LIFE, "-f", "lavfi", "-i", _SOUND),
        *("-filter_complex", _PICTURE, "-t", str(SECONDS)),
        # A keyframe every two seconds: that is where the clip can be cut into chunks.
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-g", str(2 * _RATE)),
        *("-c:a", "aac", str(path)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LongtakeError(f"the clip could not be made: {done.stderr.strip()[-500:]}")


def _ffmpeg() -> str:
    require_engine()
    code = "from media.ffmpeg.tools import ffmpeg; print(ffmpeg())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=engine_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LongtakeError(f"FFmpeg is not to be found: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
