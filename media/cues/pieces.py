"""The pieces that captions are made of: words, and in scripts without spaces what stands for them.
A line or a caption ends behind a piece, never in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.transcript import Segment
from media.captions.cue_text import shown
from media.cues.letters import clusters, joint, keeps, may_part, width

LINE = 42
"""Columns of a line."""


@dataclass(frozen=True)
class Piece:
    """A word, when it is said, and whether a space stands in front of it."""

    start_s: Fraction
    end_s: Fraction
    text: str
    spaced: bool

    @property
    def columns(self) -> int:
        """How wide it is, without its space."""
        return width(self.text)


def pieces(segments: Sequence[Segment]) -> tuple[Piece, ...]:
    """The pieces of what one speaker says, in order, none wider than a line."""
    found: list[Piece] = []
    for segment in segments:
        own = list(_of_segment(segment))
        if own and found:
            own[0] = replace(own[0], spaced=joint(found[-1].text, own[0].text) == " ")
        found += own
    return tuple(part for piece in _joined(_in_order(found)) for part in _split(piece))


def _of_segment(segment: Segment) -> Iterator[Piece]:
    if not segment.words:
        span = Piece(_exact(segment.start_s), _exact(segment.end_s), shown(segment.text), True)
        yield from _shared_out(span, _without_times(span.text))
        return
    text, at = shown(segment.text), 0
    for word in segment.words:
        words = shown(word.text)
        if not words:
            continue
        found = text.find(words, at)
        # A word that the text does not have, as it stands there, still has its place in time.
        spaced = " " in text[at:found] if found >= 0 else True
        at = max(at, found + len(words)) if found >= 0 else at
        inner = [(part, bool(n) or spaced) for n, part in enumerate(words.split(" "))]
        yield from _shared_out(Piece(_exact(word.start_s), _exact(word.end_s), words, True), inner)


def _exact(seconds: float) -> Fraction:
    return Fraction(str(seconds))


def _without_times(text: str) -> list[tuple[str, bool]]:
    """Words, and in scripts without spaces characters; with whether a space is in front of each."""
    found = []
    for word in text.split():
        parts = list(clusters(word))
        glued = [parts[0]]
        for left, right in pairwise(parts):
            if may_part(left, right):
                glued.append(right)
            else:
                glued[-1] += right
        found += [(part, number == 0) for number, part in enumerate(glued)]
    return found


def _shared_out(span: Piece, parts: list[tuple[str, bool]]) -> Iterator[Piece]:
    """`parts` of a text, each with its share of the time by its width."""
    total = max(1, sum(width(text) for text, _ in parts))
    length, done = max(Fraction(0), span.end_s - span.start_s), 0
    for text, spaced in parts:
        start_s = span.start_s + length * done / total
        done += width(text)
        yield Piece(start_s, span.start_s + length * done / total, text, spaced)


def _in_order(found: list[Piece]) -> Iterator[Piece]:
    """No piece begins before the one in front, nor ends before it begins."""
    clock = Fraction(0)
    for piece in found:
        clock = max(clock, piece.start_s)
        yield replace(piece, start_s=clock, end_s=max(clock, piece.end_s))


def _joined(found: Iterator[Piece]) -> Iterator[Piece]:
    """Pieces between which no line may break become one."""
    held = None
    for piece in found:
        if held is None:
            held = piece
        elif _may_end(held.text, piece):
            yield held
            held = piece
        else:
            text = f"{held.text} {piece.text}" if piece.spaced else held.text + piece.text
            held = replace(held, end_s=max(held.end_s, piece.end_s), text=text)
    if held is not None:
        yield held


def _may_end(text: str, following: Piece) -> bool:
    """Whether a line may end behind this text."""
    if following.spaced:
        return not keeps(text, following.text)
    return may_part(text, following.text)


def _split(piece: Piece) -> Iterator[Piece]:
    """A piece that is wider than a line, in parts that are not."""
    if piece.columns <= LINE:
        yield piece
        return
    parts = [""]
    for cluster in clusters(piece.text):
        for part in [cluster] if width(cluster) <= LINE else cluster:
            if width(parts[-1]) + width(part) > LINE:
                parts.append("")
            parts[-1] += part
    spaces = [(part, number == 0 and piece.spaced) for number, part in enumerate(parts)]
    yield from _shared_out(piece, spaces)
