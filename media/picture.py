"""The picture's geometry and pixel format: what the output's frames look like, and the filters.

Scaling is bit-exact (`accurate_rnd+bitexact`): the same bytes on every CPU.
"""

from __future__ import annotations

from fractions import Fraction

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from longtake.errors import InputUnsupported
from media.pixel_formats import held_format

SCALER = "lanczos+accurate_rnd+bitexact+full_chroma_int"
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")


def output_size(facts: VideoFacts, settings: VideoSettings) -> tuple[int, int]:
    """Width and height in pixels after rotation, squaring of pixels and fitting.

    `settings.height` bounds the shorter side. Even numbers, as 4:2:0 needs them; a lossless
    picture in its own pixel format keeps its exact size.
    """
    width, height = Fraction(facts.width), Fraction(facts.height)
    if settings.pixel_format == "source" and not settings.height:
        return _turned(facts, facts.width, facts.height)
    if facts.sample_aspect > 1:
        width *= facts.sample_aspect
    else:
        height /= facts.sample_aspect
    if settings.height:
        scale = settings.height / min(width, height)
        if scale < 1 or settings.upscale:
            width, height = width * scale, height * scale
    return _turned(facts, _even(width), _even(height))


def picture_filters(facts: VideoFacts, settings: VideoSettings) -> tuple[str, ...]:
    """Filters that make the output's frames; none where they are right already.

    Rotation is FFmpeg's own (it turns frames before these filters).
    Raises InputUnsupported for HDR that would have to become SDR.
    """
    width, height = output_size(facts, settings)
    source = _turned(facts, facts.width, facts.height)
    pixel_format = output_pixel_format(facts, settings)
    converts = pixel_format != facts.pixel_format
    resizes = (width, height) != source
    steps = []
    if resizes or converts:
        # Full range becomes limited with the format: 8-bit players assume limited.
        limited = ":out_range=limited" if settings.pixel_format != "source" else ""
        steps.append(f"scale={width}:{height}:flags={SCALER}{limited}")
    if converts:
        steps.append(f"format={pixel_format}")
    if resizes:
        steps.append("setsar=1")
    return tuple(steps)


def output_pixel_format(facts: VideoFacts, settings: VideoSettings) -> str:
    """The pixel format of the output. Raises InputUnsupported if the codec cannot hold it."""
    if settings.pixel_format == "yuv420p" and facts.color_transfer in HDR_TRANSFERS:
        raise InputUnsupported(
            f"the picture is HDR ({facts.color_transfer}) and the output would be SDR; tone "
            "mapping is not built yet. Keep it: use `--preset remux`, or crf 0 without a preset"
        )
    return held_format(facts.pixel_format, settings)


def _turned(facts: VideoFacts, width: int, height: int) -> tuple[int, int]:
    return (height, width) if facts.rotation in (90, 270) else (width, height)


def _even(pixels: Fraction) -> int:
    return max(2, 2 * round(pixels / 2))
