"""Transcripts as files: readers that share no code with ours find in them what was said."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Sequence

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from longtake.contracts.media import Chapter
from longtake.contracts.transcript import LanguageFound, Segment, Transcript, Word
from media.captions.cue import Cue
from media.cues import layout
from media.speech.paragraphs import LONG, with_paragraphs
from media.speech.transcript_files import to_json, to_markdown, to_srt, to_text, to_vtt

SAID = (
    ("Anna", 0.5, 3.0, "Fish & chips are < 5 €, aren't they?"),
    ("Ben", 3.2, 6.0, "--> <b>Bold</b> {\\an8}words, I'd say."),
    ("Ben", 9.0, 12.0, "But *not* here_and_now."),
    (None, 13.0, 15.0, "שלום עולם, מה שלומך?"),
)


def transcript(*said: tuple[str | None, float, float, str]) -> Transcript:
    segments = with_paragraphs(
        [
            Segment(start_s=start, end_s=end, text=text, speaker=who, confidence=0.9)
            for who, start, end, text in said
        ]
    )
    speakers = tuple(dict.fromkeys(each.speaker for each in segments if each.speaker))
    return Transcript(
        language=LanguageFound(code="en", probability=0.98, asked=False),
        model="tiny.en",
        duration_s=20,
        speech_s=10,
        speakers=speakers,
        segments=segments,
    )


def times(cues: Sequence[Cue]) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def clock_ms(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return round((int(hours) * 60 + int(minutes)) * 60_000 + float(seconds) * 1000)


def test_webvtt_is_read_back_with_voices() -> None:
    cues = layout(transcript(*SAID))
    captions = webvtt.from_buffer(io.StringIO(to_vtt(cues, 20))).captions
    assert [(clock_ms(each.start), clock_ms(each.end)) for each in captions] == times(cues)
    assert [html.unescape(each.text) for each in captions] == [cue.text for cue in cues]
    assert [each.voice for each in captions] == ["Anna", "Ben", "Ben", None]


def test_two_voices_of_one_caption_have_a_line_each() -> None:
    cues = layout(transcript(("A & B", 0, 0.5, "Ready?"), ("Ben", 0.5, 0.9, "Yes.")))
    assert "<v A &amp; B>- Ready?</v>\n<v Ben>- Yes.</v>\n" in to_vtt(cues, 20)


LINES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@given(st.lists(st.lists(LINES, min_size=1, max_size=2), max_size=5))
def test_any_text_is_read_back_from_webvtt(texts: list[list[str]]) -> None:
    cues = [
        Cue(start_ms=2000 * n, end_ms=2000 * n + 1500, text="\n".join(lines))
        for n, lines in enumerate(texts)
    ]
    captions = webvtt.from_buffer(io.StringIO(to_vtt(cues, 20))).captions
    assert [html.unescape(each.text) for each in captions] == [cue.text for cue in cues]


def test_subrip_is_read_back_and_orders_no_player() -> None:
    cues = layout(transcript(*SAID))
    events = pysubs2.SSAFile.from_string(to_srt(cues), format_="srt").events
    assert [(event.start, event.end) for event in events] == times(cues)
    assert [event.plaintext for event in events] == [
        "Fish & chips are ‹ 5 €, aren't they?",
        "--› ‹b›Bold‹/b› (/an8)words, I'd say.",
        "But *not* here_and_now.",
        "שלום עולם, מה שלומך?",
    ]
    assert all(event.text == event.plaintext.replace("\n", "\\N") for event in events)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_pysubs2_reads_both(name: str) -> None:
    cues = layout(transcript(SAID[0], SAID[3]))
    text = to_srt(cues) if name == "srt" else to_vtt(cues, 20)
    events = pysubs2.SSAFile.from_string(text, format_=name).events
    assert [(event.start, event.end) for event in events] == times(cues)
    assert events[1].plaintext == cues[1].text


def test_json_keeps_everything_and_its_schema_explains_it() -> None:
    said = transcript(*SAID)
    document = json.loads(to_json(said))
    assert Transcript.model_validate(document) == said
    assert "שלום" in to_json(said)
    schema = Transcript.model_json_schema(mode="serialization")
    assert set(document) == set(schema["properties"])
    for part in (schema, *schema["$defs"].values()):
        assert all(field["description"] for field in part["properties"].values())


def test_text_has_paragraphs_with_their_speakers() -> None:
    assert to_text(transcript(*SAID[:3])) == (
        "Anna: Fish & chips are < 5 €, aren't they?\n"
        "\n"
        "Ben: --> <b>Bold</b> {\\an8}words, I'd say.\n"
        "\n"
        "Ben: But *not* here_and_now.\n"
    )


def test_sentences_join_as_their_language_joins_them() -> None:
    assert to_text(transcript((None, 0, 1, "はい。"), (None, 1, 2, "そうです。"))) == (
        "はい。そうです。\n"
    )
    assert to_text(transcript((None, 0, 1, "네."), (None, 1, 2, "그래요."))) == "네. 그래요.\n"
    assert to_text(transcript((None, 0, 1, "Yes."), (None, 1, 2, "So."))) == "Yes. So.\n"


def test_markdown_has_a_heading_for_each_chapter() -> None:
    chapters = (
        Chapter(start_s=3.1, end_s=8, title="Ben's *turn*"),
        Chapter(start_s=8, end_s=12.5),
        Chapter(start_s=12.5, end_s=20, title="The end"),
    )
    said = (*SAID[:3], (None, 3700.0, 3702.0, "שלום."))
    assert to_markdown(transcript(*said), chapters) == (
        "**0:00 Anna:** Fish \\& chips are \\< 5 €, aren't they?\n"
        "\n"
        "## Ben's \\*turn\\*\n"
        "\n"
        "**0:03 Ben:** --\\> \\<b\\>Bold\\</b\\> {\\\\an8}words, I'd say.\n"
        "\n"
        "## Chapter 2\n"
        "\n"
        "**0:09 Ben:** But \\*not\\* here\\_and\\_now.\n"
        "\n"
        "## The end\n"
        "\n"
        "**1:01:40** שלום.\n"
    )


def test_a_chapter_may_begin_within_a_paragraph() -> None:
    said = transcript((None, 0, 2, "One."), (None, 2, 4, "Two."), (None, 4, 6, "Three."))
    chapters = (Chapter(start_s=0, end_s=3, title="A"), Chapter(start_s=3, end_s=6, title="B"))
    assert to_markdown(said, chapters).split("\n") == [
        *("## A", "", "**0:00** One. Two.", "", "## B", "", "**0:04** Three.", "")
    ]


def test_a_chapter_may_begin_within_a_segment() -> None:
    """With a sentence of it: Whisper's segments may have several."""
    text = "That was it. And now, at last,  the 2nd part: more. Bye."
    words = tuple(
        Word(start_s=n, end_s=n + 0.9, text=word, confidence=1)
        for n, word in enumerate(text.split())
    )
    whole = Segment(start_s=0, end_s=12, text=text, words=words, confidence=1)
    said = transcript().model_copy(update={"segments": (whole,)})

    def told(start_s: float) -> list[str]:
        return to_markdown(said, (Chapter(start_s=start_s, end_s=12, title="B"),)).split("\n\n")

    first, second, third = "That was it.", "And now, at last, the 2nd part: more.", "Bye."
    assert told(2.5) == [f"**0:00** {first}", "## B", f"**0:03** {second} {third}\n"]
    assert told(4) == [f"**0:00** {first} {second}", "## B", f"**0:11** {third}\n"]
    assert told(12) == [f"**0:00** {first} {second} {third}", "## B\n"]


def test_nothing_said_gives_files_that_say_so() -> None:
    silent = transcript()
    assert to_vtt(layout(silent), 20) == "WEBVTT\n"
    assert (to_srt(layout(silent)), to_text(silent), to_markdown(silent)) == ("", "", "")
    assert json.loads(to_json(silent))["segments"] == []


def test_paragraphs_end_where_speakers_pause_or_change_or_go_on_for_long() -> None:
    sentence = "This sentence has some words in it, as a sentence should."
    flowing = [(None, float(n), n + 0.9, sentence) for n in range(30)]
    segments = transcript(*flowing).segments
    lengths = [
        sum(len(each.text) for each in segments if each.paragraph == number)
        for number in range(segments[-1].paragraph + 1)
    ]
    assert len(lengths) > 2
    assert all(LONG <= length < LONG + len(sentence) for length in lengths[:-1])
    unending = [(who, start, end, text.rstrip(".")) for who, start, end, text in flowing]
    assert transcript(*unending).segments[-1].paragraph == 1
    assert [each.paragraph for each in transcript(*SAID).segments] == [0, 1, 2, 3]
    pause = transcript((None, 0, 1, "One."), (None, 3.1, 4, "Two."), (None, 5, 6, "Three."))
    assert [each.paragraph for each in pause.segments] == [0, 1, 1]
