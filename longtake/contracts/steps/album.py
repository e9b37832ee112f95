"""Steps of `Normalize` for several files, and for tags."""

from __future__ import annotations

from longtake.contracts.base import Contract, Uri
from longtake.contracts.loudness import Aim, Loudness, Tagged
from longtake.contracts.media import MediaFacts
from longtake.contracts.normalize import Normalize
from longtake.contracts.steps.common import AudioRequest, EncodeDone, Source, Step
from longtake.contracts.steps.normalize import MeasureDone, NormalizeSummary


class AlbumSummary(Contract):
    """What the workflow must know of the files that a job takes together, in their order."""

    files: tuple[NormalizeSummary, ...]
    aim: Aim | None = None
    """Where all of them as one sound shall land; None: they are only tagged."""
    lossy: tuple[bool, ...] = ()
    """Whether a file's encoder changes its sound."""


class AlbumStage(Contract):
    """What is done to the level of an album's files."""

    gain_db: float
    """Of all of them."""
    ceilings_dbtp: tuple[float | None, ...]
    """Of each one's limiter; None: there is none."""


class AlbumRound(Contract):
    """How all files came out, each encoded once."""

    stage: AlbumStage
    after: Loudness
    """Of all of them as one sound."""
    excess_db: tuple[float, ...]
    """Each one's true peak over the limit; negative where there is room."""
    short_lu: float
    """What is missing to the target; negative where it is too loud."""


class JudgeRequest(Contract):
    """Asks how loud several files are together, and which stage comes next."""

    measured: tuple[str, ...]
    """Work store keys of the sources' windows."""
    aim: Aim | None
    lossy: tuple[bool, ...] = ()
    rounds: tuple[AlbumRound, ...] = ()
    """Those judged before."""
    stage: AlbumStage | None = None
    """Of the round that is to be judged."""
    levelled: tuple[str, ...] = ()
    """Work store keys of its files' windows."""


class Judged(Contract):
    """What is known after a round; before the first, how loud the sources are together."""

    before: Loudness
    round: AlbumRound | None = None
    next: AlbumStage | None = None
    """None: no further round."""
    best: int = 0
    """Number of the round to keep."""
    warnings: tuple[str, ...] = ()


class StageRequest(Contract):
    """A track to encode through a given stage."""

    track: AudioRequest
    gain_db: float
    ceiling_dbtp: float | None


class FinishRequest(Contract):
    """A finished track to put into its container, with what its source takes along."""

    source: Source
    plan_key: str
    index_key: str | None
    audio_key: str
    engine: str


class TagRequest(Contract):
    """A file to write the tags of its loudness into."""

    source: Source
    plan_key: str
    output: Uri
    track: Loudness
    album: Loudness | None = None
    engine: str


class FileDone(Contract):
    """A finished file in the work store under `done.key`, ready to be published."""

    media: MediaFacts
    """Of several files without tags and chapters: a message is small."""
    tagged: Tagged | None = None
    done: EncodeDone | None = None
    warnings: tuple[str, ...] = ()


PLAN_ALBUM = Step("plan_album", "io", Normalize, AlbumSummary)
JUDGE_ALBUM = Step("judge_album", "io", JudgeRequest, Judged)
ENCODE_STAGE = Step("encode_stage", "cpu", StageRequest, MeasureDone)
FINISH_FILE = Step("finish_file", "io", FinishRequest, FileDone)
TAG_FILE = Step("tag_file", "io", TagRequest, FileDone)
