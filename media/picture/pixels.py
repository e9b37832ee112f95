"""The picture's pixels: the filters that make the output's frames from the source's.

Scaling is bit-exact (`accurate_rnd+bitexact`): the same bytes on every CPU.
"""

from __future__ import annotations

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from longtake.errors import InvalidJob
from media.picture.colour import (
    BT709,
    Colour,
    has_room,
    is_tagged,
    keeps_hdr,
    output_colour,
    source_colour,
    tone_map,
)
from media.picture.geometry import Geometry, geometry
from media.picture.pixel_formats import held_format
from media.probing.light import without_light

SCALER = "lanczos+accurate_rnd+bitexact+full_chroma_int"


def output_size(facts: VideoFacts, settings: VideoSettings) -> tuple[int, int]:
    """Width and height of the output in pixels."""
    return geometry(facts, settings).canvas


def picture_filters(facts: VideoFacts, settings: VideoSettings) -> tuple[str, ...]:
    """Filters that make the output's frames, each from one frame; none where they are right.

    Frames are upright already: FFmpeg turns them as it reads them, or `temporal` does.
    `{tone}` stands for the file of the tone map's table. Raises InvalidJob and InputUnsupported.
    """
    shape = geometry(facts, settings)
    before, after = source_colour(facts), output_colour(facts, settings, shape.canvas)
    pixel_format = output_pixel_format(facts, settings)
    tone = tone_map(facts, settings)
    own = settings.pixel_format == "source" and tone is None
    says = is_tagged(facts) or own
    converts = shape.resizes or before != after or pixel_format != facts.pixel_format
    steps = []
    if shape.crop:
        steps.append("crop={}:{}:{}:{}:exact=1".format(*shape.crop))
    if converts and not says and before.matrix != "gbr":
        steps.append(before.as_tags())
    if tone is not None:
        steps += _tone_mapped(shape, pixel_format)
    elif converts:
        steps.append(_scaled(facts, settings, shape, None if own else after))
        if pixel_format != facts.pixel_format:
            steps.append(f"format={pixel_format}")
    # Of a programme each part says so, for else one that is not resized may say nothing.
    if shape.resizes or settings.conform:
        steps.append("setsar=1")
    if shape.canvas != shape.scaled:
        steps.append("pad={}:{}:{}:{}:color=black".format(*shape.canvas, *shape.offset))
    if (converts and not own) or not says:
        steps.append(after.as_tags())
    return tuple(steps)


def _scaled(
    facts: VideoFacts, settings: VideoSettings, shape: Geometry, colour: Colour | None
) -> str:
    width, height = shape.scaled
    # Full range becomes limited with the format: 8-bit players assume limited.
    coloured = f":out_color_matrix={colour.matrix}:out_range=limited" if colour else ""
    # The two fields of a frame are two moments: scaled as one they would comb.
    fields = ":interl=1" if facts.interlaced and settings.deinterlace == "never" else ""
    return f"scale={width}:{height}:flags={SCALER}{coloured}{fields}"


def tone_mapped_rgb() -> tuple[str, ...]:
    """Filters from HDR to RGB of SDR, by the table in the file that `{tone}` stands for.

    Not zscale, whose results depend on the CPU (measured), in ways that FFmpeg's `-cpuflags` does
    not reach.
    """
    return (
        "format=gbrp16le",
        "lut3d=file={tone}:interp=tetrahedral",
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=full",
    )


def _tone_mapped(shape: Geometry, pixel_format: str) -> list[str]:
    width, height = shape.scaled
    return [
        f"scale={width}:{height}:flags={SCALER}",
        *tone_mapped_rgb(),
        f"scale=out_color_matrix={BT709.matrix}:out_range=limited:flags={SCALER}",
        f"format={pixel_format}",
        *without_light(),
    ]


def output_pixel_format(facts: VideoFacts, settings: VideoSettings) -> str:
    """The pixel format of the output. Raises InvalidJob for HDR that is to be kept in 8 bits,
    InputUnsupported if the codec cannot hold the format."""
    if keeps_hdr(facts, settings) and not has_room(settings):
        raise InvalidJob(
            "HDR needs 10 bits, and pixel_format yuv420p has 8: ask for more bits, or for "
            "`hdr: sdr`"
        )
    return held_format(facts.pixel_format, settings)
