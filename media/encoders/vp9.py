"""VP9 by libvpx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, keyframes, logged

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

ANALYSIS_CRF = 31


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """VP9 in libvpx's good deadline, with tiles that do not follow from the host."""
    return (
        *("-c:v", "libvpx-vp9", *_speed(video, which), *_quality(video, which)),
        *("-pix_fmt", video.pixel_format, "-threads", str(video.threads)),
        # Tiles cost bytes and let players decode on several cores; libvpx makes no tile
        # narrower than 256 pixels, so small pictures have one.
        *("-tile-columns", "2", "-row-mt", "0"),
        # Frames ahead for alternate references, as Google's guide for files on demand has it.
        *("-auto-alt-ref", "1", "-lag-in-frames", "25"),
        *keyframes(video),
    )


def _speed(video: VideoPlan, which: Pass | None) -> Arguments:
    """The pass that only measures a chunk's size is as quick as libvpx gets."""
    if which is not None and which.number == 1 and not which.statistics_only:
        return ("-deadline", "realtime", "-cpu-used", "8")
    return ("-deadline", "good", "-cpu-used", str(video.settings.speed))


def _quality(video: VideoPlan, which: Pass | None) -> Arguments:
    settings = video.settings
    if which is not None and which.number == 1:
        constant = ("-crf", str(ANALYSIS_CRF), "-b:v", "0")
        return (*constant, *logged(which)) if which.statistics_only else constant
    if which is not None:
        return ("-b:v", str(which.bitrate_bps), *logged(which))
    if settings.crf == 0:
        return ("-lossless", "1")
    return ("-crf", str(settings.crf), "-b:v", "0")  # 0: quality alone decides


ENCODER = Encoder(arguments, silent=True)
