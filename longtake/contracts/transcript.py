"""A transcript: what is said in a recording, when, by whom, and how sure that is.

A file of this form stands alone: whoever has it needs nothing of Longtake to read it
(`longtake schema Transcript` prints its JSON Schema). Times are seconds from the beginning of the
recording, where its earliest picture is shown or sound heard, as players count; rounded to a
millisecond.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtake.contracts.base import Report

Time = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Word(Report, use_attribute_docstrings=True):
    """One word, with the punctuation that belongs to it."""

    start_s: Time
    """When it begins, in seconds."""
    end_s: Time
    """When it ends, in seconds; not before it begins."""
    text: str
    """Without a space in front or behind. How words join is told by the segment's text: some
    languages have no spaces."""
    confidence: Share
    """How probable the model finds the word; 1 is certain."""


class Segment(Report, use_attribute_docstrings=True):
    """What one speaker says in one go: a sentence or a few."""

    start_s: Time
    """When its first word begins, in seconds."""
    end_s: Time
    """When its last word ends, in seconds."""
    text: str
    """Its words, joined as the language joins them."""
    words: tuple[Word, ...] = ()
    """In the order in which they are said. Empty where only the text is known."""
    speaker: str | None = None
    """Who speaks: one of the transcript's `speakers`; none where nobody told speakers apart."""
    confidence: Share
    """How probable the model finds the segment: the mean of its words; 1 is certain."""
    paragraph: int = Field(default=0, ge=0)
    """Number of the paragraph that it stands in, from 0, rising."""


class LanguageFound(Report, use_attribute_docstrings=True):
    """The language of a recording."""

    code: str
    """Two or three letters, such as `en` (ISO 639)."""
    probability: Share
    """How sure that is; 1 where the language was asked for."""
    asked: bool
    """Whether the job named it; else it was heard."""


class Transcript(Report, use_attribute_docstrings=True):
    """What is said in a recording."""

    version: Literal[1] = 1
    """Version of this form. Fields may be added to it; what is there keeps its meaning."""
    language: LanguageFound
    """The language that was written down."""
    model: str
    """Name of the speech model, such as `tiny.en`."""
    duration_s: Time
    """Length of the recording in seconds."""
    speech_s: Time
    """How much of it is speech, in seconds."""
    speakers: tuple[str, ...] = ()
    """Who speaks, in the order of their channels; empty where nobody told speakers apart."""
    segments: tuple[Segment, ...] = ()
    """In the order of their start. Those of two speakers may overlap."""
    warnings: tuple[str, ...] = ()
    """What a reader should know, in words: such as that nobody speaks."""
