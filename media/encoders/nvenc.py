"""H.264 by NVENC: no promise on bytes beyond card and driver (design, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, cap, keyframes

if TYPE_CHECKING:
    from media.plan import VideoPlan


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """NVENC at the quality of the same CRF, roughly."""
    settings = video.settings
    lossless = settings.crf == 0
    return (
        *("-c:v", "h264_nvenc", "-preset", "p5", "-pix_fmt", video.pixel_format),
        *(("-tune", "lossless") if lossless else ("-rc", "vbr", "-cq", str(settings.crf))),
        *(("-profile:v", settings.profile) if settings.profile and not lossless else ()),
        *keyframes(video),
        *cap(video),
    )


ENCODER = Encoder(arguments)
