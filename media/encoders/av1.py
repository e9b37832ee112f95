"""AV1 by SVT-AV1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, keyframes
from media.probing.light import for_svt_av1

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

ANALYSIS_CRF = 35


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """SVT-AV1: at constant quality its bytes do not depend on its threads, which `lp` bounds."""
    return (
        *("-c:v", "libsvtav1", "-preset", str(video.settings.speed), *_quality(video, which)),
        *("-pix_fmt", video.pixel_format.replace("yuva", "yuv")),
        *keyframes(video),
        *("-svtav1-params", ":".join((f"lp={video.threads}", *_light(video)))),
    )


def _light(video: VideoPlan) -> Arguments:
    return for_svt_av1(video.light) if video.light else ()


def _quality(video: VideoPlan, which: Pass | None) -> Arguments:
    crf = video.settings.crf
    if which is not None:
        crf = ANALYSIS_CRF if which.number == 1 else which.crf
    most = video.settings.max_bitrate_bps
    return ("-crf", str(crf), *(("-maxrate", str(most)) if most else ()))


ENCODER = Encoder(arguments, analysis_crf=ANALYSIS_CRF, passes_its_cap=True)
