"""Captions are laid out as captions: short lines, time to read, breaks where a speaker breathes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from longtake.contracts.transcript import LanguageFound, Segment, Transcript, Word
from media.captions.cue import Cue
from media.cues import layout
from media.cues.letters import clusters, ends_sentence, may_part, parting, width
from media.cues.pieces import pieces

LINE, COLUMNS_A_SECOND = 42, 20
TALK = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do "
    "for your country. Every chunk that was finished is kept, because a machine that dies at "
    "ninety percent must not repeat what it has done. Yes. I know. We measured it twice on two "
    "cores, and the second time it was faster than we had hoped."
)
TONGUES = {
    "en": ("because", "and", "wonderful,", "a", "it", "said.", "machines", "don't", "Why?"),
    "ja": ("今日", "は", "天気", "。", "「", "です", "、", "ット", "が", "」"),
    "zh": ("我们", "去", "，", "学校", "。", "吗？"),
    "he": ("שלום", "עולם,", "אני", "הולך.", "הביתה"),
    "fa": ("می\u200cخواهم،", "کتاب", "بخوانم؟", "را"),
    "th": ("สวัสดี", "ครับ", "ผม", "ชื่อ"),
    "ko": ("안녕하세요.", "저는", "학생입니다,", "오늘"),
}
SPACELESS = ("ja", "zh", "th")


def segment(
    words: Sequence[str], rate: float, start_s: float = 0.0, who: str | None = None, glue: str = " "
) -> Segment:
    """A segment said at `rate` columns a second, the spaces counted."""
    said, clock = [], start_s
    for word in words:
        length = (width(word) + len(glue)) / rate
        said.append(
            Word(start_s=round(clock, 3), end_s=round(clock + length, 3), text=word, confidence=1)
        )
        clock += length
    return Segment(
        start_s=said[0].start_s,
        end_s=said[-1].end_s,
        text=glue.join(words),
        words=tuple(said),
        speaker=who,
        confidence=1,
    )


def transcript(
    *segments: Segment, language: str = "en", duration_s: float | None = None
) -> Transcript:
    end = max((each.end_s for each in segments), default=0.0)
    return Transcript(
        language=LanguageFound(code=language, probability=1, asked=True),
        model="tiny",
        duration_s=end + 5 if duration_s is None else duration_s,
        speech_s=end,
        speakers=tuple(sorted({each.speaker for each in segments if each.speaker})),
        segments=segments,
    )


def shown(cues: Sequence[Cue]) -> list[list[str]]:
    return [cue.text.split("\n") for cue in cues]


def letters(texts: Sequence[str]) -> str:
    return "".join("".join(texts).split())


def seconds(cue: Cue) -> Fraction:
    return Fraction(cue.end_ms - cue.start_ms, 1000)


@st.composite
def speech(draw: st.DrawFn, fastest: float = 200.0) -> Transcript:
    """Segments of every length, speed and pause, of up to three speakers who may interrupt."""
    language = draw(st.sampled_from(sorted(TONGUES)))
    speakers = draw(st.sampled_from([(None,), ("A",), ("A", "B"), ("A", "B", "C")]))
    made, clock = [], draw(st.floats(0, 3))
    for _ in range(draw(st.integers(0, 5))):
        words = draw(st.lists(st.sampled_from(TONGUES[language]), min_size=1, max_size=40))
        glue = "" if language in SPACELESS else " "
        who = draw(st.sampled_from(speakers))
        made.append(segment(words, draw(st.floats(2, fastest)), round(clock, 3), who, glue))
        clock = max(0.0, made[-1].end_s + draw(st.floats(-1 if who else 0, 6)))
    return transcript(*made, language=language, duration_s=clock + draw(st.floats(0, 9)))


RATES = st.sampled_from([None, Fraction(25), Fraction(24000, 1001), Fraction(60), Fraction(10)])


@given(speech(), RATES)
def test_rules_that_never_yield(spoken: Transcript, rate: Fraction | None) -> None:
    cues = layout(spoken, rate)
    for lines in shown(cues):
        assert 1 <= len(lines) <= 2
        assert all(0 < width(line) <= LINE for line in lines)
    assert all(0 < seconds(cue) <= 7 for cue in cues)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(cues))
    if len(cues) <= spoken.duration_s - 1:
        assert all(seconds(cue) >= 1 for cue in cues)
        assert all(cue.end_ms <= round(spoken.duration_s * 1000) for cue in cues)


@given(speech())
def test_every_word_is_shown_once_and_in_order(spoken: Transcript) -> None:
    cues = layout(spoken)
    for who in spoken.speakers or (None,):
        said = [each.text for each in spoken.segments if each.speaker == who]
        read = [
            line.removeprefix("- ")
            for cue in cues
            for line, voice in zip(
                cue.text.split("\n"), cue.voices or [None] * (cue.text.count("\n") + 1), strict=True
            )
            if voice == who
        ]
        in_order = sorted(
            (each for each in spoken.segments if each.speaker == who), key=lambda each: each.start_s
        )
        assert letters(read) == letters([each.text for each in in_order])
        assert len(said) == len(in_order)


@given(st.lists(st.sampled_from(TONGUES["en"]), min_size=1, max_size=80), st.floats(4, 16), RATES)
def test_speech_that_can_be_read_can_be_read(
    words: list[str], speed: float, rate: Fraction | None
) -> None:
    for cue in layout(transcript(segment(words, speed)), rate):
        assert width(cue.text.replace("\n", " ")) <= COLUMNS_A_SECOND * seconds(cue)


@given(speech(fastest=18), RATES, st.fractions(0, 3, max_denominator=1000))
def test_captions_begin_and_end_with_frames(
    spoken: Transcript, rate: Fraction | None, first_s: Fraction
) -> None:
    assume(rate is not None)
    assert rate is not None
    for cue in layout(spoken, rate, first_s):
        for time in (cue.start_ms, cue.end_ms):
            # The first frame at this time or behind it, and none is less than a millisecond off.
            frame = math.ceil((Fraction(time, 1000) - first_s) * rate)
            assert 0 <= (first_s + frame / rate) * 1000 - time < 1


@example([*["because"] * 4, "wonderful,", *["because"] * 5, "Why?", *["because"] * 5], 46.0)
@given(st.lists(st.sampled_from(TONGUES["en"]), min_size=1, max_size=60), st.floats(4, 60))
def test_captions_keep_to_their_words(words: list[str], speed: float) -> None:
    """None begins more than half a second before or behind its first word, however fast."""
    spoken = segment(words, speed)
    cues = layout(transcript(spoken))
    at = 0
    for cue in cues:
        assert abs(cue.start_ms / 1000 - spoken.words[at].start_s) <= 0.5 + 0.002
        at += len(cue.text.split())


def test_lines_break_at_clauses_and_are_balanced() -> None:
    cues = layout(transcript(segment(TALK.split(), 15)))
    assert shown(cues)[:2] == [
        ["And so, my fellow Americans,"],
        ["ask not what your country can do for you,", "ask what you can do for your country."],
    ]
    for lines in shown(cues):
        assert lines[-1].split()[-1].lower() not in ("a", "the", "and", "that", "because")
        if len(lines) == 2:
            assert len(" ".join(lines)) > LINE
            assert min(map(len, lines)) >= 0.6 * max(map(len, lines))


@given(st.lists(st.sampled_from(["river", "lake", "mountains", "sea"]), min_size=8, max_size=11))
def test_no_break_in_a_phrase_would_be_more_even(words: list[str]) -> None:
    for lines in shown(layout(transcript(segment(words, 14)))):
        if len(lines) == 1:
            continue
        own = " ".join(lines).split()
        splits = [(" ".join(own[:n]), " ".join(own[n:])) for n in range(1, len(own))]
        best = min(abs(len(a) - len(b)) for a, b in splits if max(len(a), len(b)) <= LINE)
        assert abs(len(lines[0]) - len(lines[1])) == best


def test_a_caption_stays_until_it_is_read_if_nobody_speaks() -> None:
    (cue,) = layout(transcript(segment(["Incomprehensibilities,", "naturally."], 60)))
    assert (cue.start_ms, cue.end_ms) == (0, 1650)
    (cue,) = layout(transcript(segment(["No."], 15)))
    assert (cue.start_ms, cue.end_ms) == (0, 1000)


def test_faster_speech_is_shown_while_it_is_said() -> None:
    """Reading speed yields: not the time of the words, nor the words themselves."""
    cues = layout(transcript(segment((TALK + " ").split() * 4, 30)))
    assert any(width(cue.text) > COLUMNS_A_SECOND * seconds(cue) for cue in cues)
    assert letters([cue.text for cue in cues]) == letters([TALK] * 4)


def test_a_caption_does_not_outlast_the_recording() -> None:
    words = segment(["One", "word", "and", "another."], 12, start_s=2.0)
    (cue,) = layout(transcript(words, duration_s=words.end_s))
    assert cue.end_ms <= words.end_s * 1000
    assert seconds(cue) >= 1
    (cue,) = layout(transcript(segment(["Yes."], 15), duration_s=0.4))
    assert (cue.start_ms, cue.end_ms) == (0, 400)


def test_a_pause_ends_a_caption() -> None:
    one, other = segment(["Wait", "there"], 15), segment(["until", "I", "come."], 15, start_s=2.5)
    assert shown(layout(transcript(one, other))) == [["Wait there"], ["until I come."]]


def test_a_short_burst_borrows_time_of_slower_words() -> None:
    text = "Ask what you can do for your country and not what it can do for you."
    burst = segment(text.split(" "), 22)
    slow = segment(["Every", "part", "was", "kept", "as", "it", "was."], 8, start_s=burst.end_s)
    first, second = layout(transcript(burst, slow))
    assert first.text.split() == text.split()
    assert second.start_ms > slow.start_s * 1000
    for cue in (first, second):
        assert width(cue.text) <= COLUMNS_A_SECOND * seconds(cue)


def test_slow_words_are_all_said_while_their_caption_is_shown() -> None:
    spoken = segment(TALK.split(), 3)
    at = 0
    for cue in layout(transcript(spoken)):
        at += len(cue.text.split())
        assert cue.end_ms >= spoken.words[at - 1].end_s * 1000 - 1


def test_a_word_that_is_drawn_out_is_taken_away_after_seven_seconds() -> None:
    (cue,) = layout(transcript(segment(["Gooooal!"], 0.5)))
    assert (cue.start_ms, cue.end_ms) == (0, 7000)


def test_captions_of_many_speakers_at_once_wait_for_each_other() -> None:
    line = ["This", "line", "is", "long", "enough", "to", "stand", "quite", "alone."]
    crowd = [segment(line, 150, 5 + n / 3, who) for n, who in enumerate("ABCD")]
    cues = layout(transcript(*crowd, duration_s=30))
    assert [set(cue.voices) for cue in cues] == [{who} for who in "ABCD"]
    assert all(cue.start_ms >= 4500 + 1000 * n for n, cue in enumerate(cues))
    assert all(seconds(cue) >= 1 for cue in cues)


@given(st.lists(st.sampled_from(["はい。", "「いいえ」、", "ネットの", "きょう"]), max_size=12))
def test_marks_neither_begin_nor_end_a_line_that_they_should_not(parts: list[str]) -> None:
    assume(parts)
    cues = layout(transcript(segment(list("".join(parts)), 12, glue=""), language="ja"))
    for line in (line for lines in shown(cues) for line in lines):
        assert line[0] not in "。」、ッょ"
        assert line[-1] != "「"


def test_quick_answers_share_a_caption() -> None:
    ready = segment(["Ready?"], 15, 0, "Anna")
    yes = segment(["Yes."], 15, 0.5, "Ben")
    home = segment(["Then", "let", "us", "all", "go", "home."], 15, 1.0, "Anna")
    first, second = layout(transcript(ready, yes, home))
    assert (first.text, first.voices) == ("- Ready?\n- Yes.", ("Anna", "Ben"))
    assert (second.text, second.voices) == ("Then let us all go home.", ("Anna",))


def test_wide_letters_count_twice_and_marks_keep_their_place() -> None:
    text = (
        "東京から大阪まで新幹線で二時間半かかりますが、飛行機なら一時間で着きます。"
        "「はい」、そうです。"
    )
    cues = layout(transcript(segment(list(text), 14, glue=""), language="ja"))
    lines = [line for lines in shown(cues) for line in lines]
    assert max(map(len, lines)) <= LINE // 2
    assert "".join(lines) == text
    assert not any(line[0] in "、。」" for line in lines)
    assert not any(line[-1] == "「" for line in lines)


@pytest.mark.parametrize("word", ["x" * 100, "字" * 50, "a\u0301" * 60, "👩\u200d🚀" * 30])
def test_a_word_that_no_line_holds_is_parted_between_letters(word: str) -> None:
    lines = [line for lines in shown(layout(transcript(segment([word], 10)))) for line in lines]
    assert "".join(lines) == word
    assert all(width(line) <= LINE for line in lines)
    assert [c for line in lines for c in clusters(line)] == list(clusters(word))


@pytest.mark.parametrize("language", TONGUES)
def test_text_without_words_is_shared_out_over_its_time(language: str) -> None:
    glue = "" if language in SPACELESS else " "
    spoken = segment(TONGUES[language] * 8, 12, glue=glue)
    cues = layout(transcript(spoken.model_copy(update={"words": ()}), language=language))
    joined = glue.join(glue.join(lines) for lines in shown(cues))
    assert joined == spoken.text
    assert cues[-1].end_ms == pytest.approx(spoken.end_s * 1000, abs=1500)


def test_words_that_belong_together_are_not_parted() -> None:
    """`well-` and `known` are two words to a model, and one to a reader."""
    parts = ("The", "well-", "known", "one", "that", "isn", "'t.")
    words = tuple(
        Word(start_s=n / 4, end_s=(n + 1) / 4, text=text, confidence=1)
        for n, text in enumerate(parts)
    )
    spoken = Segment(
        start_s=0, end_s=1.75, text="The well-known one that isn't.", words=words, confidence=1
    )
    (cue,) = layout(transcript(spoken))
    assert cue.text == spoken.text


def test_nothing_said_is_no_caption() -> None:
    assert layout(transcript(duration_s=10)) == ()
    empty = Segment(start_s=1, end_s=2, text=" ", confidence=0)
    assert layout(transcript(empty)) == ()


def test_marks_of_french_stay_with_their_words() -> None:
    """A model hears a question mark, and what quotes, as words of their own."""
    said = segment(["Il", "lit", "quoi", "?", "«", "Le", "petit", "prince", "»", "!"], 9)
    assert [piece.text for piece in pieces([said])] == [
        *("Il", "lit", "quoi ?", "« Le", "petit", "prince » !")
    ]


@pytest.mark.parametrize(
    "parts",
    [
        "พู|ด|เร็|ว|มา|ก|ก|ว่า|เธ|อ",
        "ເວົ້າ|ພາ|ສາ|ລາ|ວ|ແລະ",
        "「今|日」|は|キャ|ベ|ツ、|で|す。",
    ],
)
def test_a_letter_stays_with_what_it_leans_on(parts: str) -> None:
    letters = list(clusters(parts.replace("|", "")))
    free = [left + "|" * may_part(left, right) for left, right in pairwise(letters)]
    assert "".join((*free, letters[-1])) == parts


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("もう一度", True, "あの"), ("場所へ", False, "行きたい")),
        (("ไปบ้าน", True, "แล้ว"), ("big", True, "house")),
        (("場所へ", False, "行きたい"), ("日", False, "本")),
        (("日", False, "本"), ("行", False, "きたい")),
        (("日", False, "本"), ("デパ", False, "ート")),
        (("big", True, "house"), ("พู", False, "ด")),
    ],
)
def test_a_line_breaks_where_a_phrase_may_end(
    better: tuple[str, bool, str], worse: tuple[str, bool, str]
) -> None:
    costs = [parting(left, right, spaced) for left, spaced, right in (better, worse)]
    assert costs[0] < costs[1]


def test_thai_breaks_at_its_spaces() -> None:
    """Though behind another letter the lines would be more even."""
    lines = ["กินข้าวกับเพื่อนที่บ้าน", "แล้วไปทำงานที่โรงเรียนใหญ่มากทุกวัน"]
    said = segment(list("".join(lines)), 12, glue="").model_copy(update={"text": " ".join(lines)})
    assert shown(layout(transcript(said, language="th"))) == [lines]


def test_a_segment_without_a_mark_does_not_run_into_the_next() -> None:
    first = segment(list("おはようございます"), 12, glue="")
    second = segment(list("天気について話します。"), 12, start_s=first.end_s + 0.4, glue="")
    third = segment(list("はい。"), 12, start_s=second.end_s + 0.1, glue="")
    cues = shown(layout(transcript(first, second, third, language="ja")))
    told = "\n".join(line for cue in cues for line in cue)
    assert "ます天気" not in told
    assert "話します。 はい" not in told


@pytest.mark.parametrize("mark", ".!?…。．！？｡؟۔।॥។။։።")
def test_sentences_end_with_the_marks_of_their_script(mark: str) -> None:
    assert ends_sentence(f"x{mark}")


def test_a_question_of_french_and_greek_ends_a_sentence() -> None:
    assert ends_sentence("« la gare ? »")
    assert ends_sentence("σταθμός\u037e")
    assert not ends_sentence("la gare :")


@pytest.mark.parametrize(
    ("language", "opener"),
    [("fr", "qu'il"), ("es", "¿cuando"), ("it", "perché"), ("ru", "потому"), ("pl", "że")],
)
def test_a_line_breaks_in_front_of_what_opens_a_clause(language: str, opener: str) -> None:
    """Behind it the lines would be more even."""
    words = ["m" * 10, "n" * 10, opener, "o" * 10, "p" * 11]
    (lines,) = shown(layout(transcript(segment(words, 14), language=language)))
    assert lines[1].startswith(opener)
