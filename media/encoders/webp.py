"""Animated WebP by libwebp: every colour, alpha, and differences between frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass
from media.picture.pixel_formats import has_alpha
from media.picture.pixels import SCALER

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

MUXER = ("webp", "-loop", "0")  # for ever
QUALITY = ("-c:v", "libwebp_anim", "-quality", "70")
"""Of 100."""


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """Frames that show nothing new become a longer time of the frame before."""
    return (*QUALITY, "-pix_fmt", stored(video))


def rightly_coloured(video: VideoPlan) -> str:
    """WebP has no tags: its luma and chroma are BT.601 in limited range (RFC 9649)."""
    scaled = f"scale=out_color_matrix=bt601:out_range=limited:flags={SCALER}"
    return f"{scaled},format={stored(video)}"


def stored(video: VideoPlan) -> str:
    """The pixel format in the file: the one that lossy WebP has, with or without alpha."""
    return "yuva420p" if has_alpha(video.pixel_format) else "yuv420p"


ENCODER = Encoder(arguments, carrier="webp", finish=rightly_coloured)
