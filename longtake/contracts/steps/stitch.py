"""Steps of `Stitch`."""

from __future__ import annotations

from longtake.contracts.base import Contract, Uri
from longtake.contracts.loudness import Aim, Loudness
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import EncodeDone, Source, Step
from longtake.contracts.steps.normalize import LevelDone
from longtake.contracts.stitch import Beside, Stitch


class FilmPiece(Contract):
    """Frames of a programme that are encoded at a time."""

    part: int
    """Number of the part, from 0; of two that fade into each other, the first."""
    plan_key: str
    """Of the part's own picture."""
    index_key: str
    chunk: int
    """Number of the chunk in that plan."""
    into: int | None = None
    """Number of the part that it fades into."""
    copied: bool = False
    number: int
    """Of the piece."""
    frames: int


class StitchSummary(Contract):
    """What the workflow must know of a programme; the plan itself lies under `plan_key`."""

    plan_key: str
    sources: tuple[Source, ...]
    """Of each part, in the job's order."""
    names: tuple[str, ...]
    """Of the parts, for people."""
    cover: Source | None
    segments: tuple[tuple[int, Uri], ...]
    """Parts that become files of their own, and their places."""
    beside: tuple[tuple[Beside, Uri], ...]
    """Files beside the first output."""
    aim: Aim
    media_s: float
    engine: str
    warnings: tuple[str, ...] = ()
    film: tuple[FilmPiece, ...] = ()
    """The picture's pieces, where an output has pictures."""
    decisions: dict[str, str] = {}


class PrepareRequest(Contract):
    """A part of a programme."""

    source: Source
    plan_key: str
    engine: str
    number: int


class PreparedPart(Contract):
    """A part's samples, in the work store under `key`, and how loud they are."""

    key: str
    loudness: Loudness
    samples: int
    decoded: int
    """Samples before silence was taken out."""


class PrepareDone(Contract):
    """A part that is ready for the mix."""

    done: EncodeDone
    part: PreparedPart


class MixRequest(Contract):
    """All parts, in the job's order."""

    plan_key: str
    engine: str
    parts: tuple[PreparedPart, ...]


class ChapterMark(Contract):
    """A chapter, in samples of the programme."""

    first: int
    end: int
    title: str


class MixDone(Contract):
    """The programme before its last stage, in the work store under `done.key`."""

    done: EncodeDone
    samples: int
    loudness: Loudness
    chapters: tuple[ChapterMark, ...]
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class LevelSoundRequest(Contract):
    """The mix, or a part (`number`) alone, to encode as an output of the job."""

    plan_key: str
    engine: str
    output: int
    key: str
    before: Loudness
    number: int | None = None


class FinishSoundRequest(Contract):
    """An encoded sound (`key`) to put into its format, with tags and chapters."""

    plan_key: str
    engine: str
    output: int
    key: str
    samples: int
    chapters: tuple[ChapterMark, ...] = ()
    cover: Source | None = None
    number: int | None = None
    """Of the part, if it is one alone."""


class FinishDone(Contract):
    """A finished file, in the work store under `done.key`."""

    done: EncodeDone
    media: MediaFacts
    warnings: tuple[str, ...] = ()


class PieceRequest(Contract):
    """A piece of the picture that is no chunk: a part's copied whole, or where one part fades
    into the next."""

    plan_key: str
    engine: str
    piece: int
    sources: tuple[Source, ...]


class FinishFilmRequest(FinishSoundRequest):
    """An encoded sound (`key`) and the pieces of the picture to put into one file."""

    pieces: tuple[str, ...]
    """Work store keys, in their order."""


class DescribeRequest(Contract):
    """A file that tells of a finished output (`key`)."""

    plan_key: str
    engine: str
    kind: Beside
    key: str
    chapters: tuple[ChapterMark, ...]


PLAN_STITCH = Step("plan_stitch", "io", Stitch, StitchSummary)
PLAN_STITCH_WHOLE = Step("plan_stitch_whole", "io", Stitch, StitchSummary)
"""Again, with each part's picture encoded in one piece: as chunks it did not come out."""
PREPARE_PART = Step("prepare_part", "cpu", PrepareRequest, PrepareDone)
MIX = Step("mix", "cpu", MixRequest, MixDone)
LEVEL_SOUND = Step("level_sound", "cpu", LevelSoundRequest, LevelDone)
FINISH_SOUND = Step("finish_sound", "cpu", FinishSoundRequest, FinishDone)
COPY_PICTURE = Step("copy_picture", "io", PieceRequest, EncodeDone)
ENCODE_CROSSFADE = Step("encode_crossfade", "cpu", PieceRequest, EncodeDone)
FINISH_FILM = Step("finish_film", "io", FinishFilmRequest, FinishDone)
DESCRIBE_SOUND = Step("describe_sound", "cpu", DescribeRequest, EncodeDone)
