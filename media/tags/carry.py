"""What else of a source its output takes along: tags, chapters, cover, subtitles, fonts.

What the container cannot hold is named in the result's warnings.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from longtake.contracts.base import Contract, Rational
from longtake.contracts.containers import CHAPTERED, CONTAINERS, Container
from longtake.contracts.media import Chapter, MediaFacts, OtherStream

TEXT = ("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text")
_BITMAPS = ("pgssub", "dvdsub", "dvbsub", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle")
UNNAMED = "unknown"
"""The codec of a stream that FFmpeg has no name for, as some WebVTT in Matroska (S_TEXT/WEBVTT)."""
TEXT_ENCODERS: dict[Container, str] = {
    "mp4": "mov_text",
    "mov": "mov_text",
    "mkv": "srt",
    "webm": "webvtt",
}
"""FFmpeg's encoder of the text that players of each container read."""
_COVERS: tuple[Container, ...] = ("mp4", "m4a", "mp3", "flac")
OGG: tuple[Container, ...] = ("ogg", "opus")
CHAPTERS_IN_COMMENTS: tuple[Container, ...] = (*OGG, "flac")
_IMAGES: dict[str, Literal["jpg", "png"]] = {"mjpeg": "jpg", "png": "png"}
"""What every container takes as a cover, and what players of Matroska show as one (matroska.org,
"Attachments"), by its codec."""

OWN_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands")
"""What a file says of itself, not of its content: it would be wrong in another file."""
_UNTOLD = (*OWN_TAGS, "creation_time", "language", "handler_name", "vendor_id", "duration")


class Span(Contract):
    """From where to where subtitles are cut, in seconds from the source's start."""

    start_s: Rational
    end_s: Rational | None


class Carried(Contract):
    """A stream that is taken along; `codec` is `copy`, or FFmpeg's encoder of subtitles."""

    stream: int
    kind: Literal["cover", "subtitle", "attachment"]
    codec: str = "copy"
    image: Literal["jpg", "png"] | None = None
    """Suffix of a cover that becomes no stream: a file in Matroska, a comment in Ogg."""
    span: Span | None = None
    """Of a clip's subtitles."""
    language: str | None = None
    title: str | None = None


def carry(
    facts: MediaFacts, container: Container, span: Span | None
) -> tuple[tuple[Carried, ...], tuple[str, ...]]:
    """The streams to take along, and words for each that is left out.

    Of a clip (`span`) subtitles are cut, if they are text: what a picture shows cannot be
    told from its packets.
    """
    carried: list[Carried] = []
    left_out: list[str] = []
    apart = read_apart(facts, container)
    for stream in facts.other:
        if stream in apart:
            continue
        how = _how(stream, container, span)
        second = container in OGG and any(other.kind == "cover" for other in carried)
        if how is None or second:
            what = ", ".join(filter(None, (stream.kind, stream.codec, stream.name)))
            left_out.append(f"stream {stream.index} ({what}) is left out")
        else:
            carried.append(how)
    return tuple(carried), tuple(left_out)


def read_apart(facts: MediaFacts, container: Container) -> tuple[OtherStream, ...]:
    """Subtitles that FFmpeg cannot copy, having no name for them: they are read as captions are,
    if they are text, and become text tracks behind the others."""
    if container not in TEXT_ENCODERS:
        return ()
    return tuple(s for s in facts.other if s.kind == "subtitle" and s.codec == UNNAMED)


def carries_chapters(facts: MediaFacts, container: Container, *, clipped: bool) -> bool:
    """Whether the chapters come along; a clip has none, for they are timed to the whole."""
    return facts.chapter_count > 0 and container in CHAPTERED and not clipped


def chapter_marks(facts: MediaFacts, container: Container, *, clipped: bool) -> tuple[Chapter, ...]:
    """Chapters that are written as comments by us (`chapters.chapter_comments` says why).
    Only where all of them are known: a probe keeps the first."""
    whole = facts.chapter_count == len(facts.chapters)
    return facts.chapters if container in CHAPTERS_IN_COMMENTS and whole and not clipped else ()


def lost(
    tags: Iterable[str], chapters: int, covers: int, found: MediaFacts, container: Container
) -> tuple[str, ...]:
    """Words for tags, chapters and covers that are not in the finished file."""
    kept = {_plain(name) for name in found.tags}
    kept |= {"lyrics" for name in kept if name.startswith("lyrics-")}  # so FFmpeg reads ID3's
    gone = [name for name in tags if _plain(name) not in (*kept, *_UNTOLD)]
    words = []
    if covers > sum(stream.kind == "cover" for stream in found.other):
        words.append(f"the cover is left out: {CONTAINERS[container].words} did not take it")
    if gone:
        listed = ", ".join(gone[:10]) + (f" and {len(gone) - 10} more" if len(gone) > 10 else "")
        words.append(f"tags that {CONTAINERS[container].words} did not take: {listed}")
    if chapters > found.chapter_count:
        words.append(f"{found.chapter_count} of {chapters} chapters were kept")
    return tuple(words)


def _plain(name: str) -> str:
    """A tag's name as all containers keep it: Matroska's are in capitals, and without spaces."""
    return name.casefold().replace(" ", "_")


def _how(stream: OtherStream, container: Container, span: Span | None) -> Carried | None:
    if stream.kind == "cover" and not stream.unreadable and stream.codec in _IMAGES:
        if container in _COVERS:
            return Carried(stream=stream.index, kind="cover")
        if container in ("mkv", *OGG):
            return Carried(stream=stream.index, kind="cover", image=_IMAGES[stream.codec])
    if stream.kind == "attachment" and container == "mkv":
        return Carried(stream=stream.index, kind="attachment")
    if stream.kind == "subtitle" and (span is None or stream.codec in TEXT):
        if stream.early and span is None:  # what is shown before the picture is cut off
            span = Span(start_s=Fraction(), end_s=None)
        codec = _subtitle_codec(stream.codec, container)
        if codec is not None:
            return Carried(
                stream=stream.index,
                kind="subtitle",
                codec=codec,
                span=span,
                language=stream.language,
                title=stream.title,
            )
    return None


def _subtitle_codec(codec: str, container: Container) -> str | None:
    """How subtitles of `codec` go into `container`; None if they cannot."""
    if container == "mkv":
        if codec in ("mov_text", "text"):
            return "srt"
        return "copy" if codec in (*TEXT, *_BITMAPS) else None
    target = TEXT_ENCODERS.get(container)
    if target is None or codec not in TEXT:
        return None
    return "copy" if codec == target else target
