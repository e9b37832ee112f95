"""The plan of a transcription: which sound is heard, and from when on time counts."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from longtake.contracts.base import Contract, Rational, Report
from longtake.contracts.encode import AudioSettings, Track
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.speech import RATE_HZ, Span, Window
from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import Segment
from longtake.errors import InputUnsupported
from media.probing.index import Index
from media.speech.sound import sound_command
from media.transcode.tracks import choose_tracks


class SpeechPlan(Contract):
    """A sound track that is heard."""

    demuxer: str
    audio: AudioFacts
    origin_s: Rational
    """The time of the source that counts as zero."""
    media_s: float
    settings: SpeechSettings

    @property
    def split(self) -> bool:
        """Whether each channel is heard on its own."""
        return self.settings.speakers == "channels"

    @property
    def channels(self) -> int:
        """How many channels are heard."""
        return self.audio.channels if self.split else 1

    def sound_recipe(self) -> list[str]:
        """What the prepared sound hangs on, beside the source and the engine."""
        command = sound_command(
            *(Path("in"), self.demuxer, self.audio, Path("out"), self.origin_s, self.split)
        )
        return command.arguments()[1:]  # without the program's own place


class SpokenWindows(Report):
    """Where somebody speaks, and the windows in which it is heard."""

    windows: tuple[Window, ...]
    speech_s: float
    """How long anybody speaks."""


class HeardWindow(Report):
    """What was heard in a window, on the source's clock."""

    segments: tuple[Segment, ...]


def plan_speech(
    facts: MediaFacts, index: Index | None, settings: SpeechSettings, track: Track | None = None
) -> SpeechPlan:
    """Choose the track. Raises InputUnsupported without sound, InvalidJob for an unknown track."""
    if not facts.audio:
        raise InputUnsupported("the source has no sound: there is nothing to write down")
    asked = AudioSettings(tracks=None if track is None else (track,))
    return SpeechPlan(
        demuxer=facts.container,
        audio=choose_tracks(facts.audio, asked)[0],
        origin_s=index.origin_s if index else Fraction(str(facts.start_s)),
        media_s=round(facts.duration_s, 3),
        settings=settings,
    )


def caption_rate(facts: MediaFacts, index: Index | None) -> Fraction | None:
    """The frame rate that captions keep to, in Hz: of a picture whose rate does not vary."""
    if index is None or not facts.video or facts.video[0].variable_frame_rate:
        return None
    return facts.video[0].frame_rate


def first_frame_s(index: Index | None) -> Fraction:
    """When the first frame is shown, in seconds from the beginning of the film."""
    return index.pts[0] * index.time_base - index.origin_s if index else Fraction()


def spoken_s(spans: Iterable[Span]) -> float:
    """For how long anybody speaks, in seconds; who speak at once count once."""
    total = until = 0
    for span in sorted(spans, key=lambda each: each.first):
        total += max(0, span.end - max(until, span.first))
        until = max(until, span.end)
    return round(total / RATE_HZ, 3)
