"""A transcript as the files that people ask for: captions, text to read, and all of it in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from longtake.contracts.media import Chapter
from longtake.contracts.transcript import Segment, Transcript
from media.captions import webvtt
from media.captions.cue import Cue
from media.captions.cue_text import shown
from media.cues.letters import ends_sentence, joint

_NO_TAGS = str.maketrans("<>{}\\", "‹›()/")
"""SubRip has no escapes: what players would obey is written with signs that look alike."""
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&])")


def to_vtt(cues: Iterable[Cue], duration_s: float) -> str:
    """WebVTT with the speakers as voices (W3C WebVTT)."""
    return webvtt.document(cues, duration_s)


def to_srt(cues: Iterable[Cue]) -> str:
    """SubRip: words and times, for it knows no voices."""
    blocks = []
    for number, cue in enumerate(cues, 1):
        times = f"{webvtt.clock(cue.start_ms)} --> {webvtt.clock(cue.end_ms)}".replace(".", ",")
        blocks.append(f"{number}\n{times}\n{cue.text.translate(_NO_TAGS)}\n")
    return "\n".join(blocks)


def to_json(transcript: Transcript) -> str:
    """Everything, by the schema that `longtake schema Transcript` prints."""
    return transcript.model_dump_json(indent=2) + "\n"


def to_text(transcript: Transcript) -> str:
    """Paragraphs with an empty line between two; each names its speaker, if that is known."""
    paragraphs = (
        f"{segments[0].speaker}: {_joined(segments)}\n"
        if segments[0].speaker
        else f"{_joined(segments)}\n"
        for segments in _paragraphs(transcript.segments)
    )
    return "\n".join(paragraphs)


def to_markdown(transcript: Transcript, chapters: Sequence[Chapter] = ()) -> str:
    """Paragraphs with their times and speakers, under the headings of the film's chapters.

    A chapter begins with the first sentence that begins in it, if need be within a paragraph.
    """
    starts = [-1.0, *(chapter.start_s for chapter in chapters), float("inf")]
    sentences = [part for each in transcript.segments for part in _parted(each, starts)]
    blocks = []
    for number in range(len(chapters) + 1):
        if number:
            title = chapters[number - 1].title or f"Chapter {number}"
            blocks.append(f"## {_escaped(shown(title))}\n")
        begin, end = starts[number : number + 2]
        said = [sentence for sentence in sentences if begin <= sentence.start_s < end]
        blocks += [f"**{_head(own[0])}** {_escaped(_joined(own))}\n" for own in _paragraphs(said)]
    return "\n".join(blocks)


def _parted(segment: Segment, starts: Iterable[float]) -> Iterator[Segment]:
    """The segment; where a chapter starts within it, its sentences."""
    if not any(segment.start_s < start < segment.end_s for start in starts):
        yield segment
        return
    first, at, begin = 0, 0, 0
    for number, word in enumerate(segment.words, 1):
        at = max(at, segment.text.find(word.text, at) + len(word.text))
        if number == len(segment.words):
            at = len(segment.text)
        elif not ends_sentence(word.text):
            continue
        own = segment.words[first:number]
        text = segment.text[begin:at].strip()
        yield segment.model_copy(update={"start_s": own[0].start_s, "text": text, "words": own})
        first, begin = number, at
    if not segment.words:
        yield segment


def _paragraphs(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    for _, paragraph in groupby(segments, lambda segment: segment.paragraph):
        yield list(paragraph)


def _joined(segments: Iterable[Segment]) -> str:
    text = ""
    for segment in segments:
        more = shown(segment.text)
        text += joint(text, more) + more if text and more else more
    return text


def _head(segment: Segment) -> str:
    minutes, seconds = divmod(int(segment.start_s), 60)
    hours, minutes = divmod(minutes, 60)
    time = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{time} {_escaped(segment.speaker)}:" if segment.speaker else time


def _escaped(text: str) -> str:
    """Words without signs that Markdown would take for its own."""
    return _MARKDOWN.sub(r"\\\1", text)
