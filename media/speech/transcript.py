"""A transcript, from what was heard in the windows of a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from longtake.contracts.media import Chapter
from longtake.contracts.speech import Window
from longtake.contracts.transcribe import TextFormat
from longtake.contracts.transcript import LanguageFound, Segment, Transcript
from media.cues import layout
from media.speech.paragraphs import with_paragraphs
from media.speech.plan import HeardWindow, SpeechPlan
from media.speech.profanity import can_mask
from media.speech.transcript_files import to_json, to_markdown, to_srt, to_text, to_vtt

TOGETHER_S = 0.5
"""Words in the same half second are said at the same time."""


def join_windows(
    plan: SpeechPlan,
    windows: Iterable[tuple[Window, HeardWindow]],
    *,
    model: str,
    language: LanguageFound,
    speech_s: float,
) -> Transcript:
    """The windows' segments in the order of their start; where channels are heard on their own,
    each is a speaker."""
    speakers = tuple(
        f"Speaker {number + 1}" for number in range(plan.channels if plan.split else 0)
    )
    segments = [
        segment.model_copy(update={"speaker": speakers[window.channel]}) if speakers else segment
        for window, heard in windows
        for segment in heard.segments
    ]
    return Transcript(
        language=language,
        model=model,
        duration_s=plan.media_s,
        speech_s=speech_s,
        speakers=speakers,
        segments=with_paragraphs(segments),
        warnings=tuple(_warnings(plan, segments, language)),
    )


def write_texts(
    transcript: Transcript,
    formats: Sequence[TextFormat],
    frame_rate: Fraction | None = None,
    first_frame_s: Fraction = Fraction(),
    chapters: Sequence[Chapter] = (),
) -> list[str]:
    """The transcript in each format; captions keep to the frames of a film with `frame_rate`, of
    which the first is shown at `first_frame_s`."""
    cues = layout(transcript, frame_rate, first_frame_s)
    write: dict[TextFormat, Callable[[], str]] = {
        "vtt": lambda: to_vtt(cues, transcript.duration_s),
        "srt": lambda: to_srt(cues),
        "json": lambda: to_json(transcript),
        "txt": lambda: to_text(transcript),
        "md": lambda: to_markdown(transcript, chapters),
    }
    return [write[name]() for name in formats]


def _warnings(plan: SpeechPlan, segments: list[Segment], language: LanguageFound) -> Iterator[str]:
    if not segments:
        yield "nobody speaks in it, as far as can be heard: the texts are empty"
    if plan.split and plan.channels == 1:
        yield "the sound has one channel: speakers cannot be told apart by theirs"
    for one, other in combinations(dict.fromkeys(each.speaker for each in segments), 2):
        if _say_the_same(segments, one, other):
            yield (
                f"{one} and {other} say the same at the same time, so it stands there twice: "
                "channels tell speakers apart only where each has a microphone of its own; "
                "leave `speakers` out"
            )
    if plan.settings.mask_profanity and segments and not can_mask(language.code):
        yield f"there is no list of rude words for {language.code}: none were masked"


def _say_the_same(segments: Sequence[Segment], one: str | None, other: str | None) -> bool:
    """Whether most words of two channels are the same at the same time: one voice in both."""
    ours, theirs = (
        Counter(
            (word.text.strip().casefold(), round(word.start_s / TOGETHER_S))
            for segment in segments
            if segment.speaker == speaker
            for word in segment.words
        )
        for speaker in (one, other)
    )
    return 2 * (ours & theirs).total() > max(ours.total(), theirs.total())
