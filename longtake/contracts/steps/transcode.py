"""Steps of `Transcode`."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from longtake.contracts.base import Contract, Rational
from longtake.contracts.chapters import Breaks
from longtake.contracts.encode import AudioSettings, EncodeSettings
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import AudioRequest, EncodeDone, Source, Step, TextTrack
from longtake.contracts.transcode import Transcode


class Image(Contract):
    """An image beside the source, pinned like it. Sizes in pixels."""

    source: Source
    width: int
    height: int


class Admission(Contract):
    """What is known of a job before it is planned."""

    source: Source
    facts: MediaFacts
    settings: EncodeSettings
    index_key: str | None
    """Work store key of the packet index; None for a source without a picture."""
    watermark: Image | None = None
    cues_key: str | None = None
    """Work store key of the captions that are burnt in."""
    captions: Source | None = None
    """Their file; None where they are a stream of the source itself."""
    texts: tuple[TextTrack, ...] = ()
    """Captions that are laid beside the picture."""
    warnings: tuple[str, ...] = ()
    """What of captions is left out."""


class PlanRequest(Contract):
    """Asks for a plan. `whole`: one chunk from the first frame, after chunks did not fit."""

    job: Transcode
    admission: Admission
    gpu: bool = False
    whole: bool = False
    crop: str | None = None
    """What `crop: auto` found; None if there are no borders, or they were not looked for."""


class BordersRequest(Contract):
    """Asks where the black borders of a source's picture are."""

    source: Source
    facts: MediaFacts
    index_key: str
    start: Rational | None = None
    end: Rational | None = None


class Borders(Contract):
    """The picture inside its borders, as `WIDTH:HEIGHT:LEFT:TOP`; None without borders."""

    crop: str | None


class ChaptersRequest(Contract):
    """Asks for the chapters between the breaks of a source, or of a clip of it."""

    source: Source
    facts: MediaFacts
    index_key: str | None
    audio: AudioSettings
    """Its first track is listened to."""
    breaks: Breaks
    start: Rational | None = None
    end: Rational | None = None


class PlanSummary(Contract):
    """The plan itself lies in the work store under `plan_key`."""

    plan_key: str
    chunks: int
    order: tuple[int, ...] = ()
    """Numbers of the chunks in the order in which they are best begun."""
    frames: int
    target_bytes: int | None = None
    """What the whole picture may take where a bit rate is aimed at; then chunks are analysed."""
    chunk_frames: tuple[int, ...] = ()
    """Frames of each chunk where a quality is aimed at; then chunks are encoded in waves."""
    media_s: float
    sounds: tuple[int, ...] = ()
    """Numbers of the sound tracks that are encoded."""
    engine: str
    """Engine version that the plan is for: parts of two versions are never joined."""
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_one_track(cls, given: Any) -> Any:
        """Histories of 0.1 say whether the one sound track is encoded."""
        if isinstance(given, dict) and "encode_audio" in given:
            given = dict(given)
            given["sounds"] = (0,) if given.pop("encode_audio") else ()
        return given


class ChunkRequest(Contract):
    """One chunk of the picture."""

    source: Source
    plan_key: str
    index_key: str
    engine: str
    number: int
    analysis_key: str | None = None
    target_bytes: int | None = None
    """With `analysis_key`: the chunk's share."""


class ScoreRequest(ChunkRequest):
    """A chunk at a CRF of its own, where a quality is aimed at."""

    crf: float


CHUNK_MISMATCH = "ChunkMismatch"
"""Type of the failure that says: this source cannot be cut, plan it whole."""


class Analysed(EncodeDone):
    """A chunk's first pass, in the work store under `key`."""

    bytes: int
    """What the chunk took at constant quality."""


class Scored(EncodeDone):
    """A chunk that was encoded at a CRF of its own, and measured."""

    vmaf: float


class ChaptersFound(Contract):
    """Chapters, in the work store under `done.key`; a single one means that there is no break."""

    done: EncodeDone
    count: int


ADMIT = Step("admit", "io", Transcode, Admission)
FIND_BORDERS = Step("find_borders", "cpu", BordersRequest, Borders)
PLAN = Step("plan", "io", PlanRequest, PlanSummary)
ANALYSE_CHUNK = Step("analyse_chunk", "cpu", ChunkRequest, Analysed)
ENCODE_CHUNK = Step("encode_chunk", "cpu", ChunkRequest, EncodeDone)
SCORE_CHUNK = Step("score_chunk", "cpu", ScoreRequest, Scored)
ENCODE_AUDIO = Step("encode_audio", "cpu", AudioRequest, EncodeDone)
FIND_CHAPTERS = Step("find_chapters", "cpu", ChaptersRequest, ChaptersFound)
