"""The seam between workflows and activities: each step's name, and what goes in and out.

A workflow refers to a step by these typed references and never imports the code behind it.
Payloads carry references into the work store, not data: indexes and plans lie in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import model_validator

from longtake.contracts.base import Contract, Rational, Report, Uri
from longtake.contracts.chapters import Breaks
from longtake.contracts.command import Command
from longtake.contracts.encode import AudioSettings, EncodeSettings
from longtake.contracts.loudness import Aim, Levelled, Loudness, Tagged
from longtake.contracts.media import MediaFacts
from longtake.contracts.normalize import Normalize
from longtake.contracts.preview import Preview
from longtake.contracts.result import JobError, JobResult, JobSummary, Output, Stats
from longtake.contracts.stitch import Beside, Stitch
from longtake.contracts.transcode import Transcode
from longtake.queues import Role

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out", bound=Contract)


@dataclass(frozen=True)
class Step(Generic[In, Out]):
    """A typed reference to an activity."""

    name: str
    role: Role
    takes: type[In]
    gives: type[Out]


class Source(Contract):
    """A source, pinned: a job fails when the file behind `uri` becomes another one."""

    uri: Uri
    bytes: int
    sha256: str
    version: str
    """What the storage says cheaply of the content: an ETag, or size and modification time."""


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


class AudioRequest(Contract):
    """A whole sound track."""

    source: Source
    plan_key: str
    engine: str
    number: int = 0


CHUNK_MISMATCH = "ChunkMismatch"
"""Type of the failure that says: this source cannot be cut, plan it whole."""


class EncodeDone(Contract):
    """A finished chunk or sound, in the work store under `key`."""

    key: str
    frames: int
    reused: bool
    stats: Stats
    decode_errors: int = 0
    """What of the source did not decode. Not known of a reused part."""


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


class AssembleRequest(Contract):
    """Join, verify and publish."""

    job_id: str
    source: Source
    output: Uri
    overwrite: bool
    plan_key: str
    index_key: str | None
    chunk_keys: tuple[str, ...]
    audio_keys: tuple[str, ...]
    chapters_key: str | None = None
    """Work store key of chapters that take the place of the source's."""


class Published(Contract):
    """The outputs, where they are and what they are."""

    outputs: tuple[Output, ...]
    stats: Stats
    warnings: tuple[str, ...] = ()


class CommandAdmission(Contract):
    """What is known of a command before it runs: its source, and its checked arguments."""

    source: Source
    demuxer: str
    muxer: str
    reading: tuple[str, ...]
    """FFmpeg's options of the input."""
    writing: tuple[str, ...]
    """FFmpeg's options of the output."""
    media_s: float
    engine: str
    warnings: tuple[str, ...] = ()


class Piece(Contract):
    """What is published of one finished part: as one file, or cut into its pictures."""

    key: str
    uris: tuple[Uri, ...]
    role: str


class PreviewSummary(Contract):
    """What the workflow must know of a preview; the plan itself lies under `plan_key`."""

    source: Source
    plan_key: str
    index_key: str | None
    parts: tuple[Piece, ...]
    """What each part becomes; keys follow when the parts are made."""
    captions: Piece | None
    """The storyboard's WebVTT, which is made with the plan."""
    media_s: float
    engine: str
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class PartRequest(Contract):
    """One part of a preview."""

    source: Source
    plan_key: str
    index_key: str | None
    engine: str
    number: int


class PublishRequest(Contract):
    """Publish finished parts under their names, in this order."""

    job_id: str
    source: Source
    others: tuple[Source, ...] = ()
    """Further sources that must not have changed."""
    pieces: tuple[Piece, ...]
    overwrite: bool
    lease: Uri
    """What stands for all the outputs where attempts are told apart."""
    folder: Uri | None = None
    """A folder to make first."""
    verify_media: bool = False
    """Whether each output must be media that can be read back."""


class NormalizeSummary(Contract):
    """What the workflow must know of a levelling; the plan itself lies under `plan_key`."""

    source: Source
    plan_key: str
    index_key: str | None
    aims: tuple[Aim, ...]
    """Where each sound track shall land."""
    media_s: float
    engine: str
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class MeasureDone(Contract):
    """How loud a track is. Its windows lie in the work store under `windows_key`; what `done`
    names is the same, or the encoded track that was measured."""

    done: EncodeDone
    loudness: Loudness
    windows_key: str = ""


class LevelRequest(Contract):
    """A track to encode at its level, which `before` measures."""

    track: AudioRequest
    before: Loudness
    aim: Aim


class LevelDone(Contract):
    """A track at its level, in the work store under `done.key`."""

    levelled: Levelled
    done: EncodeDone | None = None
    warnings: tuple[str, ...] = ()


CHECK_SOURCES = "CheckSources"
"""Type of the workflow that takes SourcesAsked and gives SourcesChanged. It is no job."""


class SourceKnown(Contract):
    """An address, and versions of what lay there."""

    uri: Uri
    versions: tuple[str, ...]


class SourcesAsked(Contract):
    """Asks whether sources are still what they were."""

    sources: tuple[SourceKnown, ...]


class SourcesChanged(Contract):
    """Those that are not."""

    uris: tuple[Uri, ...]


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


class DescribeRequest(Contract):
    """A file that tells of a finished output (`key`)."""

    plan_key: str
    engine: str
    kind: Beside
    key: str
    chapters: tuple[ChapterMark, ...]


class JobRecord(Report):
    """A line of the job index, which outlives Temporal's retention."""

    summary: JobSummary
    job: dict[str, object]
    result: JobResult | None = None
    error: JobError | None = None
    staged: tuple[Uri, ...] = ()
    """Outputs beside which files in the making may lie."""


class Nothing(Contract):
    """No answer."""


class WorkersAsked(Contract):
    """Which role's workers are asked for."""

    role: Role


class WorkersAlive(Contract):
    """How many workers of a role gave a sign of life within the last 15 s."""

    alive: int
    asked_at: datetime


ADMIT = Step("admit", "io", Transcode, Admission)
FIND_BORDERS = Step("find_borders", "cpu", BordersRequest, Borders)
PLAN = Step("plan", "io", PlanRequest, PlanSummary)
ANALYSE_CHUNK = Step("analyse_chunk", "cpu", ChunkRequest, Analysed)
ENCODE_CHUNK = Step("encode_chunk", "cpu", ChunkRequest, EncodeDone)
SCORE_CHUNK = Step("score_chunk", "cpu", ScoreRequest, Scored)
ENCODE_AUDIO = Step("encode_audio", "cpu", AudioRequest, EncodeDone)
FIND_CHAPTERS = Step("find_chapters", "cpu", ChaptersRequest, ChaptersFound)
ASSEMBLE = Step("assemble", "io", AssembleRequest, Published)
CONCLUDE = Step("conclude", "io", JobRecord, Nothing)
LOOK_AGAIN = Step("look_again", "io", SourcesAsked, SourcesChanged)
COUNT_WORKERS = Step("count_workers", "io", WorkersAsked, WorkersAlive)

ADMIT_COMMAND = Step("admit_command", "io", Command, CommandAdmission)
RUN_COMMAND = Step("run_command", "cpu", CommandAdmission, EncodeDone)
PLAN_PREVIEW = Step("plan_preview", "io", Preview, PreviewSummary)
MAKE_PART = Step("make_part", "cpu", PartRequest, EncodeDone)
PLAN_NORMALIZE = Step("plan_normalize", "io", Normalize, NormalizeSummary)
MEASURE_TRACK = Step("measure_track", "cpu", AudioRequest, MeasureDone)
LEVEL_TRACK = Step("level_track", "cpu", LevelRequest, LevelDone)
PLAN_ALBUM = Step("plan_album", "io", Normalize, AlbumSummary)
JUDGE_ALBUM = Step("judge_album", "io", JudgeRequest, Judged)
ENCODE_STAGE = Step("encode_stage", "cpu", StageRequest, MeasureDone)
FINISH_FILE = Step("finish_file", "io", FinishRequest, FileDone)
TAG_FILE = Step("tag_file", "io", TagRequest, FileDone)
PLAN_STITCH = Step("plan_stitch", "io", Stitch, StitchSummary)
PREPARE_PART = Step("prepare_part", "cpu", PrepareRequest, PrepareDone)
MIX = Step("mix", "cpu", MixRequest, MixDone)
LEVEL_SOUND = Step("level_sound", "cpu", LevelSoundRequest, LevelDone)
FINISH_SOUND = Step("finish_sound", "cpu", FinishSoundRequest, FinishDone)
DESCRIBE_SOUND = Step("describe_sound", "cpu", DescribeRequest, EncodeDone)
PUBLISH = Step("publish", "io", PublishRequest, Published)

COUNTED = (
    *(ENCODE_CHUNK.name, SCORE_CHUNK.name, RUN_COMMAND.name, MAKE_PART.name, MEASURE_TRACK.name),
    *(LEVEL_TRACK.name, ENCODE_STAGE.name, FINISH_FILE.name),
    *(PREPARE_PART.name, MIX.name, LEVEL_SOUND.name),
)
"""Steps that a job's progress counts: their heartbeats say how far the running ones are."""
