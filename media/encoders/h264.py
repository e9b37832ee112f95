"""H.264 by libx264."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, cap, closed, half_full, keyframes, logged

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

ANALYSIS_CRF = 23


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """x264 with the plan's threads: its bytes depend on their number."""
    settings = video.settings
    return (
        *("-c:v", "libx264", "-preset", str(settings.speed), *_quality(video, which)),
        *("-pix_fmt", video.pixel_format, "-threads", str(video.threads)),
        *(("-profile:v", settings.profile) if settings.profile else ()),
        *keyframes(video),
        *closed(video),
        *cap(video),
        # Same bytes on every CPU, for about 2.5 % more CPU time.
        *(
            "-x264-params",
            ":".join(("cpu-independent=1", *half_full(video), *_joinable(video, which))),
        ),
    )


def _joinable(video: VideoPlan, which: Pass | None) -> Arguments:
    """A quality of its own, or a second pass, would write a chunk's quantiser into its header."""
    second = which is not None and which.number == 2
    return ("stitchable=1",) if video.varied or second else ()


def _quality(video: VideoPlan, which: Pass | None) -> Arguments:
    if which is not None:
        aim = ("-crf", str(ANALYSIS_CRF)) if which.number == 1 else ("-b:v", str(which.bitrate_bps))
        return (*aim, *logged(which))
    # With crf 0 at more than 8 bits x264 is only nearly lossless; qp 0 always is.
    return ("-qp", "0") if video.settings.crf == 0 else ("-crf", str(video.settings.crf))


ENCODER = Encoder(arguments)
