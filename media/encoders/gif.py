"""GIF (89a): 256 colours, chosen once for the whole clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass
from media.picture.pixel_formats import has_alpha

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

MUXER = ("gif", "-loop", "0")  # for ever


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """The palette is in the pixels already; frames keep only what changes."""
    return ("-c:v", "gif", "-pix_fmt", "pal8", "-gifflags", "+offsetting+transdiff")


def colours(video: VideoPlan) -> str:
    """One palette for the clip: a palette a frame costs 768 bytes each, and flickers.

    The pictures wait in memory until the last one has been counted.
    """
    alpha = has_alpha(video.pixel_format)
    return (
        f"format={'rgba' if alpha else 'rgb24'},split[shown][counted];"
        # Colours of what moves count most: that is what people look at.
        f"[counted]palettegen=stats_mode=diff:reserve_transparent={int(alpha)}[palette];"
        # Error diffusion hides the steps of 256 colours. Only within what changed: noise that
        # dances over what stands still is seen, and is not compressed.
        "[shown][palette]paletteuse=dither=sierra2_4a:diff_mode=rectangle:alpha_threshold=128"
    )


ENCODER = Encoder(arguments, carrier="gif", finish=colours)
