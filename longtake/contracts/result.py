"""What a job tells: how far it is, and what came of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtake.contracts.base import Report
from longtake.contracts.loudness import AlbumLoudness, Levelled, Tagged
from longtake.contracts.media import MediaFacts

State = Literal["queued", "running", "paused", "succeeded", "failed", "canceled"]
Stage = Literal[
    "probing",
    "planning",
    "encoding",
    "assembling",
    "packaging",
    "normalizing",
    "stitching",
    "transcribing",
    "running",
    "publishing",
]


class Progress(Report):
    """How far a job is. `fraction` runs from 0 to 1 and never falls."""

    job_id: str
    state: State
    stage: Stage | None = None
    label: str | None = None
    """The job's own word for the stage."""
    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    fps: float | None = None
    """Frames encoded per second, all running chunks together."""
    speed: float | None = None
    """Seconds of media per second of time."""
    eta_s: float | None = None
    chunks_done: int = 0
    chunks_total: int = 0
    failed: int = 0
    """Of those that are done, in a batch."""
    counts: str = "chunks"
    """What is counted: the chunks of a picture, or the parts of another kind of job."""
    waiting_for: str | None = None
    """Plain words when the job waits for something, such as a GPU worker."""


class Output(Report):
    """A file the job made."""

    uri: str
    role: str
    bytes: int
    sha256: str
    media: MediaFacts | None = None
    loudness: tuple[Levelled, ...] = ()
    """Of each sound track whose level was set, before and after."""
    tagged: Tagged | None = None
    """What was written for players that set the level themselves."""


class Stats(Report):
    """What the job cost, in attempts that ended well; work lost with a killed process is not
    counted, `retries` says how often that was."""

    media_s: float = 0.0
    wall_s: float = 0.0
    encode_s: float = 0.0
    cpu_s: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0
    chunks: int = 0
    chunks_reused: int = 0
    """Chunks that were there already, from an earlier run or another job."""
    counts: str = "chunks"
    """What is counted, as in Progress."""
    retries: int = 0
    peak_memory_bytes: int = 0
    """Of the largest child process."""


class JobError(Report):
    """Why a job failed."""

    type: str
    """A class name of `longtake.errors`."""
    message: str


class QualityWave(Report):
    """Chunks that were encoded side by side on the way to a target quality."""

    crf: float
    vmaf: float
    """Their mean."""
    chunks: int


class ReachedQuality(Report):
    """What came of `quality`: what was measured, and how it was reached."""

    target: str
    """As asked for: `vmaf:95`."""
    model: str
    """The VMAF model that scored."""
    vmaf: float
    """The mean of the whole picture, by every `every`-th frame of each chunk."""
    every: int
    crf: float
    """The mean over the frames: each wave of chunks has its own."""
    finest: float
    """Of the chunks' CRFs."""
    coarsest: float
    waves: tuple[QualityWave, ...]
    again: int = 0
    """Chunks that had to be encoded anew."""


class Transcribed(Report):
    """What was written down of a recording, in short; the words lie in the outputs."""

    model: str
    language: str
    """Its code, such as `en`."""
    probability: float
    """How sure the language is; 1 where the job named it."""
    words: int
    segments: int
    speakers: tuple[str, ...] = ()
    speech_s: float
    """How long somebody speaks, in seconds."""


class SourceRead(Report):
    """What a job read, and which version of it."""

    uri: str
    """A link without its query: signatures stand there."""
    bytes: int
    sha256: str
    version: str
    """What its storage said of it: an ETag, or size and time of change."""


class JobResult(Report):
    """The end of a job."""

    job_id: str
    state: State
    outputs: tuple[Output, ...] = ()
    sources: tuple[SourceRead, ...] = ()
    """What was read: the input, and what lies beside it."""
    stats: Stats = Stats()
    decisions: dict[str, str] = {}
    """What was decided and why, such as `video: copied, it already meets web-720p`."""
    warnings: tuple[str, ...] = ()
    quality: ReachedQuality | None = None
    """Only where a quality was asked for and the picture was encoded."""
    album: AlbumLoudness | None = None
    """Only where several files were given one gain."""
    transcript: Transcribed | None = None
    """Only where speech was written down."""
    error: JobError | None = None


class JobSummary(Report):
    """One line of `list`."""

    job_id: str
    kind: str
    state: State
    tenant: str = "default"
    labels: dict[str, str] = {}
    preset: str | None = None
    stage: str | None = None
    input: str | None = None
    output: str | None = None
    parent: str | None = None
    """The job that runs this one as a part of itself."""
    started_at: str | None = None
    closed_at: str | None = None
    error: JobError | None = None


class JobStatus(JobResult, JobSummary):
    """A job at this moment: what was asked, how far it is, and what came of it."""

    progress: Progress
