"""Apple ProRes by FFmpeg's prores_ks: every frame a keyframe, nearly lossless, for editing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """The profile is the quality."""
    return (
        *("-c:v", "prores_ks", "-profile:v", str(video.settings.profile)),
        *("-pix_fmt", video.pixel_format, "-threads", str(video.threads)),
        # Some editors refuse streams of other makers than Apple.
        *("-vendor", "apl0"),
    )


ENCODER = Encoder(arguments, carrier="mov")
