"""Conditions of steps: what `when` asks of a file's facts, and why it does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from longtake.contracts.media import MediaFacts
from longtake.contracts.pipeline import Bounds, Facts, When
from longtake.languages import bcp47, is_in


def facts_of(media: MediaFacts) -> Facts:
    """The facts that conditions ask for, of a probed file."""
    picture = media.video[0] if media.video else None
    tagged = (bcp47(track.language) for track in media.audio)
    return Facts(
        has_video=picture is not None,
        has_audio=bool(media.audio),
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
        frame_rate=float(picture.frame_rate or 0) if picture else 0.0,
        duration_s=media.duration_s,
        bytes=media.bytes,
        languages=tuple(dict.fromkeys(language for language in tagged if language)),
    )


def why_not(when: When, facts: Facts, *, without_picture: bool = False) -> str | None:
    """Why a condition does not hold, in words that name what the file has; None if it does.

    `without_picture`: as earlier versions did, take what has no picture for one of height 0.
    """
    if when.height and not (facts.has_video or without_picture):
        return "the file has no picture"
    return next(_reasons(when, facts), None)


def _reasons(when: When, facts: Facts) -> Iterator[str]:
    if when.has_video not in (None, facts.has_video):
        yield "the file has a picture" if facts.has_video else "the file has no picture"
    if when.has_audio not in (None, facts.has_audio):
        yield "the file has sound" if facts.has_audio else "the file has no sound"
    for bounds, value, words in (
        (when.height, min(facts.width, facts.height), "the picture's shorter side has {:g} px"),
        (when.duration_s, facts.duration_s, "the file is {:g} s long"),
        (when.bytes, facts.bytes, "the file has {:d} bytes"),
    ):
        if bounds and not _within(bounds, value):
            yield f"{words.format(value)}, {_asked(bounds)}"
    if when.language:
        asked_for = (when.language,) if isinstance(when.language, str) else when.language
        if not any(is_in(tag, each) for tag in facts.languages for each in asked_for):
            tagged = ", ".join(facts.languages) or "no language"
            yield f"the sound is tagged {tagged}, not {' or '.join(asked_for)}"


def _within(bounds: Bounds, value: float) -> bool:
    if bounds.at_least is not None and value < bounds.at_least:
        return False
    return bounds.at_most is None or value <= bounds.at_most


def _asked(bounds: Bounds) -> str:
    least = None if bounds.at_least is None else f"at least {bounds.at_least:.15g}"
    most = None if bounds.at_most is None else f"at most {bounds.at_most:.15g}"
    return f"not {' and '.join(filter(None, (least, most)))}"
