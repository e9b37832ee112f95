"""What is laid over the picture: a watermark, and captions that are burnt in."""

from __future__ import annotations

from fractions import Fraction

from longtake.contracts.base import Contract
from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from longtake.contracts.steps.transcode import Image
from longtake.errors import InvalidJob
from media.captions.burnt_in import ass_document, unknown_letters
from media.captions.cue import Cues
from media.picture.colour import output_colour
from media.picture.pixels import output_pixel_format, output_size
from media.picture.watermark import GRAPHICS_WHITE, Mark, check_format, place


class Beside(Contract):
    """What a job brings beside its source."""

    watermark: Image | None = None
    cues: Cues | None = None


def marked(facts: VideoFacts, settings: VideoSettings, beside: Beside) -> Mark | None:
    """Where the watermark lies. Raises InputUnsupported for a pixel format without overlays."""
    if settings.watermark is None:
        return None
    if beside.watermark is None:
        raise InvalidJob("the watermark was not admitted with its job")
    check_format(output_pixel_format(facts, settings))
    image = beside.watermark
    size = output_size(facts, settings)
    colour = output_colour(facts, settings, size)
    return place(settings.watermark, image.source, (image.width, image.height), size, colour)


def caption_filters(
    facts: VideoFacts, settings: VideoSettings, beside: Beside, shift: Fraction
) -> tuple[str | None, tuple[str, ...]]:
    """The document of captions, and the filter that draws it; `shift`: from the film's start
    to the first frame, in seconds."""
    if settings.captions is None or beside.cues is None:
        return None, ()
    size = output_size(facts, settings)
    white = GRAPHICS_WHITE.get(output_colour(facts, settings, size).transfer, Fraction(1))
    document = ass_document(
        beside.cues.cues, size, settings.captions.size, round(shift * 1000), white
    )
    return document, ("ass=filename={captions}",)


def caption_warnings(beside: Beside) -> tuple[str, ...]:
    """Words for letters that cannot be drawn."""
    unknown = unknown_letters(beside.cues.cues) if beside.cues else ""
    if not unknown:
        return ()
    shown = unknown[:20] + ("…" if len(unknown) > 20 else "")
    return (f"captions: the built-in font has no {len(unknown)} of the letters: {shown}",)
