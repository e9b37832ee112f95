"""Starting a job so that the same job is never started twice, and none is taken for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from temporalio.client import Client
from temporalio.common import (
    Priority,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from longtake import identity
from longtake.contracts.result import JobResult
from longtake.contracts.steps.common import JobRecord
from longtake.errors import CapabilityMissing, InvalidJob, LongtakeError
from longtake.index import JobIndex
from longtake.kinds import AnyJob, parse, to_json
from longtake.look_again import unseen_as_they_were
from longtake.outcome import outcome
from longtake.outputs import outputs_in_place
from longtake.presented import presented
from longtake.queues import CONTROL_QUEUE
from longtake.refusals import service_errors
from longtake.runs import Run, find_run, job_of

SEARCH_ATTRIBUTES = (
    *("LongtakeKind", "LongtakeTenant", "LongtakeStage", "LongtakePreset", "LongtakeError"),
)
"""All of them keywords. Without them a job that sets them cannot be started."""

Found = Literal["new", "running", "done"]
"""What a start met: nothing, the same job at work, or the same job with its outputs in place."""


@dataclass(frozen=True)
class Started:
    """A job that was started, or was there already."""

    job_id: str
    run_id: str | None
    """None for a finished job that only the index knows."""
    found: Found


async def start(client: Client, index: JobIndex | None, job: AnyJob, *, here: bool) -> Started:
    """Start `job`, or join the same job. `here`: the workers see the files that are seen here.

    Raises InvalidJob if its id belongs to a job of another content, CapabilityMissing if the
    service lacks the search attributes, ServiceUnreachable, and what a look at the sources of
    a finished job raises, such as InputNotFound.
    """
    job = job.model_copy(update={"id": (job_id := identity.job_id(job))})
    reuse = WorkflowIDReusePolicy
    if index is None or index.read(job_id) is None:
        # Most jobs are new: one question is enough, and the service answers hundreds at once.
        with suppress(WorkflowAlreadyStartedError):
            return await _start(client, job, reuse.REJECT_DUPLICATE)
    for _ in range(3):
        # Between the look and the start another process may start the same id, or finish it.
        earlier = await _earlier(client, index, job, here=here)
        if isinstance(earlier, Started):
            return earlier
        may = reuse.ALLOW_DUPLICATE if earlier == "again" else reuse.ALLOW_DUPLICATE_FAILED_ONLY
        with suppress(WorkflowAlreadyStartedError):
            return await _start(client, job, may)
    raise LongtakeError(f"job {job_id} is started and ended by others again and again")


async def restart(client: Client, job: AnyJob) -> Started:
    """Run a job of this id once more, unless it has succeeded. Raises as `start` does."""
    try:
        return await _start(client, job, WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
    except WorkflowAlreadyStartedError as error:
        run = await find_run(client, str(job.id))
        if run is not None and run.is_open:
            await _must_match(client, run, job)
            return Started(run.job_id, run.run_id, "running")
        raise InvalidJob(f"job {job.id} has succeeded meanwhile; nothing is to be done") from error


async def _earlier(
    client: Client, index: JobIndex | None, job: AnyJob, *, here: bool
) -> Started | Literal["again", "first"]:
    """The same job, if it runs or is done; `again` if it succeeded, and what it made is gone or
    what it read has changed."""
    assert job.id is not None
    run = await find_run(client, job.id)
    if run is None:
        record = index.read(job.id) if index else None
        return await _from_index(client, record, job, here=here) if record else "first"
    await _must_match(client, run, job)
    if run.is_open:
        return Started(run.job_id, run.run_id, "running")
    if run.state != "succeeded":
        return "first"
    if job.looks_anew:
        return "again"
    if run.memo.get("source") not in (None, identity.source_version(job)):
        return "again"
    result = await outcome(client, run.job_id, run.run_id)
    if await _still_true(client, job, result, run.closed_at, here=here):
        return Started(run.job_id, run.run_id, "done")
    return "again"


async def _from_index(
    client: Client, record: JobRecord, job: AnyJob, *, here: bool
) -> Started | Literal["again", "first"]:
    content = _content_of(record.job)
    if content not in (None, identity.content_hash(job)):  # None: of a version that is unknown here
        raise _other_content(job, record.job, record.job.get("kind"))
    closed_at = record.summary.closed_at
    closed = datetime.fromisoformat(closed_at) if closed_at else None
    result = record.result
    if job.looks_anew or result is None or result.state != "succeeded":
        return "first"
    if await _still_true(client, job, result, closed, here=here):
        return Started(record.summary.job_id, None, "done")
    return "first"


async def _still_true(
    client: Client, job: AnyJob, result: JobResult, closed_at: datetime | None, *, here: bool
) -> bool:
    """Is what was made still there, and still what would be made? The cheap look comes first."""
    in_place = await asyncio.to_thread(outputs_in_place, result, closed_at, here=here)
    return in_place and await unseen_as_they_were(client, job, result, here=here)


async def _must_match(client: Client, run: Run, job: AnyJob) -> None:
    """What runs under the id is joined only if it is the same job. Raises InvalidJob."""
    content = run.memo.get("content") or _content_of(await job_of(client, run) or {})
    if content != identity.content_hash(job):
        raise _other_content(job, await job_of(client, run), run.kind)


def _content_of(document: Mapping[str, object]) -> str | None:
    """Content hash of a job that was started elsewhere, such as by Temporal's own CLI."""
    try:
        return identity.content_hash(identity.located(parse(document)))
    except InvalidJob:
        return None


def _other_content(job: AnyJob, document: object, kind: object) -> InvalidJob:
    try:
        earlier = identity.located(parse(document if isinstance(document, dict) else {}))
        words = f"{identity.summary(earlier)}; it differs in {identity.differences(earlier, job)}"
    except InvalidJob:
        words = f"a workflow of type {kind}"
    error = InvalidJob(
        f"job id {job.id!r} belongs to another job: {words}; choose another id, or give none"
    )
    error.job_id = job.id
    return error


async def _start(client: Client, job: AnyJob, may: WorkflowIDReusePolicy) -> Started:
    """Raises WorkflowAlreadyStartedError where it runs, or `may` not run again."""
    assert job.id is not None
    words = presented(job)
    words["memo"]["source"] = identity.source_version(job)
    try:
        with service_errors():
            handle = await client.start_workflow(
                type(job).__name__,
                to_json(job),
                id=job.id,
                task_queue=CONTROL_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=may,
                **words,
                priority=Priority(priority_key=job.priority, fairness_key=job.tenant),
            )
    except LongtakeError as error:
        raise _explained(error) from error
    return Started(job.id, handle.result_run_id, "new")


def _explained(error: LongtakeError) -> LongtakeError:
    cause = error.__cause__
    if not isinstance(cause, RPCError) or "search attribute" not in cause.message:
        return error
    return CapabilityMissing(
        f"this Temporal service lacks Longtake's search attributes ({cause.message}). "
        f"Register them once: {registering()}"
    )


def registering() -> str:
    """The commands that make a Temporal service ready for Longtake."""
    return "; ".join(
        f"temporal operator search-attribute create --name {name} --type Keyword"
        for name in SEARCH_ATTRIBUTES
    )
