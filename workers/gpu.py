"""Proof that a GPU encodes: one frame with each NVENC encoder, before its worker polls.

FFmpeg lists NVENC wherever it was compiled in, with or without a card, driver or free session,
and older cards have no AV1. A worker that finds out later would fail job after job.
"""

from __future__ import annotations

import subprocess

from longtake.errors import CapabilityMissing
from media.tools import ffmpeg

ENCODERS = ("h264_nvenc", "hevc_nvenc", "av1_nvenc")
TIMEOUT_S = 60.0
"""The first use of a card that sleeps takes seconds."""

_ADVICE = (
    "Check: `nvidia-smi` shows the card and driver; in a container the card is passed in "
    "(`--gpus`) and NVIDIA_DRIVER_CAPABILITIES holds `video`; the card has NVENC with AV1 "
    "(Ada or newer; A100 and H100 have no encoder at all). Jobs with `gpu: prefer` go on "
    "on cpu workers."
)


def prove() -> None:
    """Encode a frame with each encoder. Raises CapabilityMissing that says which one failed."""
    for encoder in ENCODERS:
        words = _failure(encoder)
        if words is not None:
            raise CapabilityMissing(
                f"this machine cannot run the gpu role: {encoder} failed to encode a frame. "
                f"FFmpeg's last words: {words} {_ADVICE}"
            )


def _failure(encoder: str) -> str | None:
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += ["-f", "lavfi", "-i", "color=size=640x360:rate=25"]
    command += ["-frames:v", "1", "-c:v", encoder, "-f", "null", "-"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"none within {TIMEOUT_S:.0f} s (the card hangs)."
    if done.returncode == 0:
        return None
    return " / ".join(done.stderr.strip().splitlines())[-1500:] or f"exit {done.returncode}"
