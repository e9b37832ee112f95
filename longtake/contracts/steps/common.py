"""What steps of every kind share: how a step is named, sources, parts, publishing, the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from longtake.contracts.base import Contract, Report, Uri
from longtake.contracts.result import JobError, JobResult, JobSummary, Output, Stats
from longtake.contracts.webhooks import EventMark
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


class AudioRequest(Contract):
    """A whole sound track."""

    source: Source
    plan_key: str
    engine: str
    number: int = 0


class EncodeDone(Contract):
    """A finished chunk or sound, in the work store under `key`."""

    key: str
    frames: int
    reused: bool
    stats: Stats
    decode_errors: int = 0
    """What of the source did not decode. Not known of a reused part."""


class TextTrack(Contract):
    """Captions that become a text track: WebVTT in the work store, on the output's clock."""

    key: str
    source: Source
    """The file that they are from."""
    language: str
    title: str | None = None
    default: bool = False


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
    texts: tuple[TextTrack, ...] = ()
    """Beside the source's own."""


class Published(Contract):
    """The outputs, where they are and what they are."""

    outputs: tuple[Output, ...]
    stats: Stats
    warnings: tuple[str, ...] = ()


class Piece(Contract):
    """What is published of one finished part: as one file, or cut into its pictures."""

    key: str
    uris: tuple[Uri, ...]
    role: str


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


CANCELED = "canceled"
"""In a run's memo: why it was cancelled, where its job has more to say than who asked for it."""

LOOK_AGAIN_WORKFLOW = "LookAgain"
"""Type of the workflow that takes PlacesAsked and gives PlacesChanged. It is no job."""


class SourceKnown(Contract):
    """An address, and versions of what lay there."""

    uri: Uri
    versions: tuple[str, ...]


class OutputKnown(Contract):
    """An address, and what a job left there."""

    uri: Uri
    bytes: int
    sha256: str


class PlacesAsked(Contract):
    """Asks whether what a job read and made is still what it was."""

    sources: tuple[SourceKnown, ...] = ()
    outputs: tuple[OutputKnown, ...] = ()


class PlacesChanged(Contract):
    """What is not."""

    uris: tuple[Uri, ...]


class JobRecord(Report):
    """A line of the job index, which outlives Temporal's retention."""

    summary: JobSummary
    job: dict[str, object]
    result: JobResult | None = None
    error: JobError | None = None
    staged: tuple[Uri, ...] = ()
    """Outputs beside which files in the making may lie."""
    folders: tuple[Uri, ...] = ()
    """That were made for outputs, each behind those that it lies in: of a job that did not succeed
    no empty ones stay."""
    told: EventMark | None = None
    """The event that tells webhooks of the end."""


class Nothing(Contract):
    """No answer."""


class WorkersAsked(Contract):
    """Which role's workers are asked for."""

    role: Role
    group: str | None = None


class WorkersAlive(Contract):
    """How many workers of a role gave a sign of life within the last 15 s."""

    alive: int
    asked_at: datetime


ASSEMBLE = Step("assemble", "io", AssembleRequest, Published)
CONCLUDE = Step("conclude", "io", JobRecord, Nothing)
LOOK_AGAIN = Step("look_again", "io", PlacesAsked, PlacesChanged)
COUNT_WORKERS = Step("count_workers", "io", WorkersAsked, WorkersAlive)
PUBLISH = Step("publish", "io", PublishRequest, Published)
