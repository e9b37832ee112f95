"""Chapters that were found: how they are written into an output, and whether they lie in it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from longtake.contracts.chapters import Chapters
from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt
from media.tags.carry import CHAPTERS_IN_COMMENTS
from media.transcode.plan import Plan

Mark = tuple[Fraction, str | None]
"""Where a chapter begins, in seconds on the output's clock, and its title."""

SLACK_S = 0.002
"""Containers count chapters in milliseconds."""


def write_chapters(chapters: Chapters, path: Path) -> None:
    """Write them as FFmpeg reads them (ffmetadata); players show a title, so each has one."""
    lines = [";FFMETADATA1"]
    edges = (*chapters.starts_s, chapters.end_s)
    for number, (start, end) in enumerate(pairwise(edges), 1):
        times = (f"{name}={round(time * 1000)}" for name, time in (("START", start), ("END", end)))
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", *times, f"title=Chapter {number}"]
    path.write_text("\n".join((*lines, "")), "ascii")


def comment_marks(plan: Plan, chapters: Chapters | None) -> list[Mark]:
    """What is written as comments into Ogg and FLAC, and nothing elsewhere: the found chapters, or
    the source's."""
    if plan.container not in CHAPTERS_IN_COMMENTS:
        return []
    if chapters is not None:
        return [(start, f"Chapter {n}") for n, start in enumerate(chapters.starts_s, 1)]
    # An MP3's chapters do not have the delay that its packets' clock begins with.
    zero = Fraction(0) if plan.demuxer == "mp3" else plan.origin_s
    return [(Fraction(str(mark.start_s)) - zero, mark.title) for mark in plan.marks]


def chapter_comments(marks: Iterable[Mark]) -> list[tuple[str, str]]:
    """Chapters as comments of Ogg and FLAC have them (xiph.org, "Chapter Extension"). FFmpeg's own
    are not used: its Ogg muxer writes those that begin in the second half of a second one second
    late (measured; it rounds the seconds), its FLAC muxer none."""
    comments: list[tuple[str, str]] = []
    for number, (start_s, title) in enumerate(marks):
        ms = max(0, round(start_s * 1000))
        hours, rest = divmod(ms, 3_600_000)
        at = f"{hours:02}:{rest // 60_000:02}:{rest // 1000 % 60:02}.{rest % 1000:03}"
        comments.append((f"CHAPTER{number:03}", at))
        if title:
            comments.append((f"CHAPTER{number:03}NAME", title))
    return comments


def prove_chapters(chapters: Chapters, facts: MediaFacts) -> None:
    """Raises InputCorrupt if the finished file holds others than these."""
    count = len(chapters.starts_s)
    wanted = [float(start) for start in chapters.starts_s][: len(facts.chapters)]
    found = [chapter.start_s for chapter in facts.chapters]
    moved = [f for w, f in zip(wanted, found, strict=False) if abs(w - f) > SLACK_S]
    if facts.chapter_count != count or moved:
        raise InputCorrupt(
            f"{facts.chapter_count} of {count} chapters came out, {len(moved)} of them elsewhere"
        )
