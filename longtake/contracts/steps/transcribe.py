"""Steps of `Transcribe`, some of which `Package` has, too."""

from __future__ import annotations

from fractions import Fraction

from longtake.contracts.base import Contract, Rational
from longtake.contracts.steps.common import EncodeDone, Source, Step
from longtake.contracts.transcribe import SpeechSettings, TextFormat, Transcribe
from longtake.contracts.transcript import LanguageFound


class SpeechAsked(Contract):
    """A sound track that is to be heard: the plan of it lies under `plan_key`."""

    source: Source
    plan_key: str
    engine: str
    settings: SpeechSettings


class TranscribeSummary(Contract):
    """What the workflow must know of a transcription."""

    asked: SpeechAsked
    media_s: float
    frame_rate: Rational | None
    """Of a film whose frames captions keep to."""
    first_frame_s: Rational = Fraction()
    """When its first frame is shown; sound may begin earlier."""
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class ModelRequest(Contract):
    """Asks whether a worker has the model that is wanted, and whether that knows the language."""

    settings: SpeechSettings


class ModelFound(Contract):
    """A speech model: every worker that hears this job must have the same."""

    name: str
    sha256: str
    """Of its files."""
    languages: tuple[str, ...]


class FindSpeechRequest(Contract):
    """Asks where somebody speaks in a prepared sound."""

    asked: SpeechAsked
    sound_key: str


class SpeechFound(Contract):
    """The windows to hear, in the work store under `done.key`."""

    done: EncodeDone
    windows: int
    speech_s: float


class LanguageRequest(Contract):
    """Asks which language is spoken."""

    asked: SpeechAsked
    sound_key: str
    windows_key: str
    model: ModelFound


class LanguageHeard(Contract):
    """The language that is spoken."""

    done: EncodeDone
    language: LanguageFound


class WindowRequest(Contract):
    """One window of the sound."""

    asked: SpeechAsked
    sound_key: str
    windows_key: str
    number: int
    model: ModelFound
    language: str


class Heard(Contract):
    """All that was heard of a sound: its words lie in the work store, under a key a window."""

    windows_key: str
    keys: tuple[str, ...]
    language: LanguageFound
    model: str
    speech_s: float


class WriteRequest(Contract):
    """Write down what was heard, in these formats."""

    asked: SpeechAsked
    heard: Heard
    formats: tuple[TextFormat, ...]
    frame_rate: Rational | None
    first_frame_s: Rational = Fraction()


class Written(Contract):
    """Texts in the work store, in the order in which they were asked for."""

    keys: tuple[str, ...]
    words: int
    segments: int
    speakers: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Spoken(Contract):
    """Captions of what was heard, for a package: WebVTT in the work store."""

    key: str
    language: str


PLAN_TRANSCRIBE = Step("plan_transcribe", "io", Transcribe, TranscribeSummary)
FIND_MODEL = Step("find_model", "speech", ModelRequest, ModelFound)
PREPARE_SPEECH = Step("prepare_speech", "cpu", SpeechAsked, EncodeDone)
FIND_SPEECH = Step("find_speech", "speech", FindSpeechRequest, SpeechFound)
DETECT_LANGUAGE = Step("detect_language", "speech", LanguageRequest, LanguageHeard)
TRANSCRIBE_WINDOW = Step("transcribe_window", "speech", WindowRequest, EncodeDone)
WRITE_TRANSCRIPT = Step("write_transcript", "io", WriteRequest, Written)
