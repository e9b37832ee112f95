"""Which segments of a transcript make a paragraph."""

from __future__ import annotations

from collections.abc import Sequence

from longtake.contracts.transcript import Segment
from media.cues.letters import ends_sentence, width

PAUSE_S = 2.0
"""A pause as long as this ends a paragraph."""
LONG = 500
"""Columns after which a paragraph ends with its sentence; after twice as many, with its segment."""


def with_paragraphs(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments in the order of their start, each with the number of its paragraph.

    A new one begins where another speaker does, after a pause, and where it grows long.
    """
    numbered: list[Segment] = []
    paragraph, columns = 0, 0
    for segment in sorted(segments, key=lambda each: (each.start_s, each.end_s)):
        if numbered and _begins(numbered[-1], segment, columns):
            paragraph, columns = paragraph + 1, 0
        columns += width(segment.text)
        numbered.append(segment.model_copy(update={"paragraph": paragraph}))
    return tuple(numbered)


def _begins(before: Segment, segment: Segment, columns: int) -> bool:
    return (
        segment.speaker != before.speaker
        or segment.start_s - before.end_s >= PAUSE_S
        or columns >= 2 * LONG
        or (columns >= LONG and ends_sentence(before.text))
    )
