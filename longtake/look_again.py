"""Whether what a finished job read and made is still what it was, where only workers can see it."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import Priority, WorkflowIDConflictPolicy

from longtake import identity
from longtake.contracts.result import JobResult
from longtake.contracts.steps.common import (
    LOOK_AGAIN_WORKFLOW,
    OutputKnown,
    PlacesAsked,
    PlacesChanged,
    SourceKnown,
)
from longtake.errors import DeadlineExceeded, ServiceUnreachable, error_class
from longtake.kinds import AnyJob
from longtake.outcome import error_of
from longtake.outputs import is_seen
from longtake.paths import shown, version_of
from longtake.queues import CONTROL_QUEUE
from longtake.refusals import service_errors

ANSWER_WITHIN = timedelta(seconds=60)


async def unseen_as_they_were(
    client: Client, job: AnyJob, result: JobResult, *, here: bool
) -> bool:
    """Are the sources and outputs that this host does not see still those of `result`?

    A worker is asked, which has the credentials. A result of 0.1 that does not name its sources
    is believed. `here`: the workers see the files that are seen here. Raises what the look at a
    source raises, such as InputNotFound, and ServiceUnreachable if no worker answers.
    """
    asked = PlacesAsked(
        sources=_unseen_sources(job, result),
        outputs=tuple(
            OutputKnown(uri=output.uri, bytes=output.bytes, sha256=output.sha256)
            for output in result.outputs
            if not is_seen(output.uri, here=here)
        ),
    )
    if not asked.sources and not asked.outputs:
        return True
    return not (await _ask(client, result.job_id, asked)).uris


def _unseen_sources(job: AnyJob, result: JobResult) -> tuple[SourceKnown, ...]:
    """What is not seen from here. Links that differ in their query alone share their versions."""
    versions: dict[str, set[str]] = {}
    for read in result.sources:
        versions.setdefault(read.uri, set()).add(read.version)
    return tuple(
        SourceKnown(uri=uri, versions=tuple(sorted(versions[shown(uri)])))
        for uri in identity.read_by(job)
        if version_of(uri) is None and shown(uri) in versions
    )


async def _ask(client: Client, job_id: str, asked: PlacesAsked) -> PlacesChanged:
    try:
        with service_errors():
            answer = await client.execute_workflow(
                LOOK_AGAIN_WORKFLOW,
                asked.model_dump(mode="json"),
                id=f"look-again-{job_id}",
                task_queue=CONTROL_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=ANSWER_WITHIN,
                priority=Priority(priority_key=1),
            )
    except WorkflowFailureError as failure:
        done = f"job {job_id} is done (`longtake status {job_id}`)"
        error = error_of(failure.cause)
        if error.type == DeadlineExceeded.__name__:
            raise ServiceUnreachable(
                f"{done}, but no worker said within {ANSWER_WITHIN.seconds} s whether its source "
                "and outputs are still the same; `longtake doctor` tells which workers there are"
            ) from failure
        raise error_class(error.type)(f"{error.message}. {done} from what lay there") from failure
    return PlacesChanged.model_validate(answer)
