"""Steps of `Pipeline`: what is asked before a step of the document runs, and noted behind it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from longtake.contracts.base import Contract, Report, Uri
from longtake.contracts.pipeline import (
    Checksums,
    Facts,
    Pipeline,
    PipelineReport,
    ProbeStep,
    StepStatus,
)
from longtake.contracts.result import JobResult, Stats
from longtake.contracts.steps.common import Nothing, Source, Step
from longtake.pipelines.document import Prepared


class PipelinePlan(Contract):
    """What a pipeline must know before its first step."""

    prepared: Prepared
    sources: tuple[Source, ...]
    """Its inputs, pinned."""
    facts: dict[str, Facts]
    """Of inputs that conditions ask about, by reference: `inputs.video`."""
    kept: Uri
    """Where outputs lie that only other steps read, and the notes of all steps: a folder of this
    tenant and this output folder alone, beside the work store."""


class Gate(Contract):
    """What a step waits for a person at."""

    before: str
    """Hash of all that comes before it."""
    approved: bool = False
    """Whether a person has let the step through in this run; else it is only looked at."""


class StepAsked(Contract):
    """A step whose turn has come."""

    name: str
    job: dict[str, object]
    """As it would run."""
    made: dict[str, str]
    """Hashes of what it reads of other steps, by reference: `level.video`."""
    kept: Uri
    folder: Uri
    """Where its outputs lie."""
    gate: Gate | None = None


class StepLooked(Contract):
    """Whether a step must run."""

    why: str
    before: JobResult | None = None
    """What it made in an earlier run, if that is what it would make again."""
    folders: tuple[Uri, ...] = ()
    """That were made for it, each behind those that it lies in."""
    approved: bool = False
    """Whether a person has let the same step through in an earlier run, behind the same steps."""


class StepDone(Contract):
    """A step that ended well, to be noted for the next run."""

    asked: StepAsked
    result: JobResult


class StepNote(Report):
    """What lies in `kept` of a step that ran."""

    asked: StepAsked
    result: JobResult
    noted_at: datetime


class ApprovalNote(Report):
    """What lies in `kept` of a step that a person let through."""

    of: str
    """Hash of the step and all that came before it."""


class StepTold(Report):
    """A step in a report."""

    status: StepStatus
    stats: Stats


class WriteRequest(Contract):
    """A step that only writes a document: facts, checksums, a report."""

    job_id: str
    job: Annotated[ProbeStep | Checksums | PipelineReport, Field(discriminator="kind")]
    overwrite: bool
    told: tuple[StepTold, ...] = ()
    """What a report tells of."""


class FactsAsked(Contract):
    """Asks for the facts of what a step made."""

    uri: Uri


PREPARE_PIPELINE = Step("prepare_pipeline", "io", Pipeline, PipelinePlan)
LOOK_AT_STEP = Step("look_at_step", "io", StepAsked, StepLooked)
NOTE_STEP = Step("note_step", "io", StepDone, Nothing)
WRITE_DOCUMENT = Step("write_document", "io", WriteRequest, JobResult)
FIND_FACTS = Step("find_facts", "io", FactsAsked, Facts)
