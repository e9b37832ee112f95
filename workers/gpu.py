"""Proof that a GPU encodes: one frame with each NVENC encoder, before its worker polls.

FFmpeg lists NVENC wherever it was compiled in, with or without a card, driver or free session,
and older cards have no AV1. A worker that finds out later would fail job after job.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction

from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.encode import VideoSettings
from longtake.errors import CapabilityMissing, LongtakeError
from media.children.process import ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.transcode.plan import VideoPlan
from media.transcode.video import encoder

ENCODERS = tuple(encoding.gpu for encoding in ENCODINGS.values() if encoding.gpu)
TIMEOUT_S = 60.0
"""The first use of a card that sleeps takes seconds."""
_TEN_BITS = ("hevc", "av1")

_ADVICE = (
    "Check: `nvidia-smi` shows the card and driver; in a container the card is passed in "
    "(`--gpus`) and NVIDIA_DRIVER_CAPABILITIES holds `video`; the card has NVENC with AV1 "
    "(Ada or newer; A100 and H100 have no encoder at all). Jobs with `gpu: prefer` go on "
    "on cpu workers."
)


def prove() -> tuple[str, ...]:
    """Encode a frame with each encoder, as a job would: same options, limits and sandbox.

    Returns what was proved, such as `hevc_nvenc p010le`. Raises CapabilityMissing that says
    which one failed.
    """
    proved = []
    for video in trials():
        words = asyncio.run(_failure(video))
        if words is not None:
            raise CapabilityMissing(
                f"this machine cannot run the gpu role: {video.encoder} failed to encode a frame. "
                f"FFmpeg's last words: {words} {_ADVICE}"
            )
        proved.append(f"{video.encoder} {video.pixel_format}")
    return tuple(proved)


def trials() -> list[VideoPlan]:
    """A plan for each encoder and depth that jobs may ask of a GPU."""
    return [
        VideoPlan(
            stream=0,
            codec="rawvideo",
            copied=False,
            time_base=Fraction(1, 25),
            start_s=Fraction(0),
            frames=1,
            encoder=encoding.gpu,
            pixel_format=pixel_format,
            settings=VideoSettings.model_validate({"codec": codec}),
        )
        for codec, encoding in ENCODINGS.items()
        if encoding.gpu
        for pixel_format in ("yuv420p", *(("yuv420p10le",) if codec in _TEN_BITS else ()))
    ]


def command(video: VideoPlan) -> Ffmpeg:
    """The command that encodes one frame and keeps nothing."""
    return (
        Ffmpeg.quiet()
        .then("-f", "lavfi", "-i", "color=size=640x360:rate=25", "-frames:v", "1")
        .then(*encoder(video))
        .write("-", "null")
    )


async def _failure(video: VideoPlan) -> str | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await run_ffmpeg(command(video).arguments())
    except TimeoutError:
        return f"none within {TIMEOUT_S:.0f} s (the card hangs)."
    except ProcessFailed as error:
        return " / ".join(error.stderr.splitlines())[-1500:] or f"exit {error.code}"
    except LongtakeError as error:
        return error.message
    return None
