"""AV1 with transparency, as an AVIF has it: the picture by SVT-AV1, its alpha by libaom as a second
picture in grey, which SVT-AV1 does not encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders import av1
from media.encoders.base import Arguments, Encoder, Pass

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

MUXER = (
    *("avif", "-loop", "0"),  # for ever
    *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"),
)
_ALPHA_CRF = "15"
"""Finer than a picture: its edges are what is seen, and they are cheap."""


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """What AV1 takes, and then what is said of the second stream alone."""
    return (
        *("-map", "[alpha]", *av1.arguments(video, which)),
        *("-c:v:1", "libaom-av1", "-pix_fmt:v:1", _grey(video), "-crf:v:1", _ALPHA_CRF),
        *("-cpu-used:v:1", "8", "-threads:v:1", "1", "-row-mt:v:1", "0"),
    )


def parted(video: VideoPlan) -> str:
    """Picture and alpha, of one depth as AVIF wants it; alpha has no colour, and the full range."""
    shown = video.pixel_format.replace("yuva", "yuv")
    return (
        "split[shown][through];"
        f"[through]alphaextract,format={_grey(video)},setparams=range=full:colorspace=unknown"
        ":color_primaries=unknown:color_trc=unknown[alpha];"
        f"[shown]format={shown}"
    )


def _grey(video: VideoPlan) -> str:
    return "gray10le" if video.pixel_format.endswith("10le") else "gray"


ENCODER = Encoder(arguments, carrier="avif", finish=parted, parts=True)
