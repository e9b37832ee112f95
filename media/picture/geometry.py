"""Where the picture's pixels go: cropped, made square, fitted, and laid on black.

All sizes are of the picture as it is shown upright: FFmpeg turns frames before any filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from longtake.contracts.picture import box, rectangle
from longtake.errors import InvalidJob

Rectangle = tuple[int, int, int, int]
"""Width, height, left, top."""


@dataclass(frozen=True)
class Geometry:
    """What is cut out of the source, how large it becomes, and the canvas it lies on."""

    source: tuple[int, int]
    """The picture as stored, turned upright."""
    crop: Rectangle | None
    scaled: tuple[int, int]
    canvas: tuple[int, int]

    @property
    def resizes(self) -> bool:
        """Whether the pixels that are kept change their number."""
        return self.scaled != (self.crop[:2] if self.crop else self.source)

    @property
    def offset(self) -> tuple[int, int]:
        """Left and top of the picture on the canvas; even, as 4:2:0 needs them."""
        left, top = (
            (outer - inner) // 4 * 2 for outer, inner in zip(self.canvas, self.scaled, strict=True)
        )
        return left, top


def geometry(facts: VideoFacts, settings: VideoSettings) -> Geometry:
    """Sizes after turning, cropping, squaring of pixels, fitting and padding.

    `settings.height` bounds the shorter side, `fit` and `pad` both sides. Even numbers, as
    4:2:0 needs them; a picture in its own pixel format with no size asked keeps its exact one.
    Raises InvalidJob for a crop that does not lie within the picture.
    """
    turned = facts.rotation in (90, 270)
    source = (facts.height, facts.width) if turned else (facts.width, facts.height)
    crop = _checked_crop(settings.crop, source)
    kept = crop[:2] if crop else source
    if settings.pixel_format == "source" and not (settings.height or settings.fit or settings.pad):
        return Geometry(source, crop, kept, kept)
    aspect = 1 / facts.sample_aspect if turned else facts.sample_aspect
    scaled = _fitted(_squared(kept, aspect), settings)
    return Geometry(source, crop, scaled, box(settings.pad) if settings.pad else scaled)


def _checked_crop(crop: str | None, source: tuple[int, int]) -> Rectangle | None:
    if crop is None or crop == "auto":
        return None
    width, height, left, top = rectangle(crop)
    if left + width > source[0] or top + height > source[1]:
        raise InvalidJob(
            f"crop {crop} does not lie within the source, which is {source[0]}x{source[1]} pixels"
        )
    return None if (width, height) == source else (width, height, left, top)


def _squared(size: tuple[int, int], aspect: Fraction) -> tuple[Fraction, Fraction]:
    width, height = Fraction(size[0]), Fraction(size[1])
    return (width * aspect, height) if aspect > 1 else (width, height / aspect)


def _fitted(size: tuple[Fraction, Fraction], settings: VideoSettings) -> tuple[int, int]:
    width, height = size
    bounds = [box(text) for text in (settings.fit, settings.pad) if text]
    if settings.height:
        scale = settings.height / min(width, height)
    elif bounds:
        scale = min(min(wide / width, high / height) for wide, high in bounds)
    else:
        scale = Fraction(1)
    # A picture on a canvas may grow to it only if that is asked, too.
    if scale < 1 or settings.upscale:
        width, height = width * scale, height * scale
    return _even(width), _even(height)


def _even(pixels: Fraction) -> int:
    return max(2, 2 * round(pixels / 2))
