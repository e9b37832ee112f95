"""Jobs that a job runs: child workflows, which look and behave as if a client had started them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
)

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.result import JobResult
    from longtake.kinds import AnyJob, to_json
    from longtake.presented import presented


class Children:
    """The child workflows of one job that run now."""

    def __init__(self) -> None:
        # In order: a set's differs between a run and its replay.
        self._running: dict[workflow.ChildWorkflowHandle[Any, JobResult], None] = {}

    async def start(self, job: AnyJob) -> workflow.ChildWorkflowHandle[Any, JobResult]:
        """Start a job, whose id must be set. One that ran before runs again: what it finished is
        in the work store. Raises ApplicationError of type InvalidJob if one of its id runs."""
        try:
            child = await self._start(job)
        except WorkflowAlreadyStartedError as error:
            words = f"job {job.id} runs already, and not for this job: wait for it, or cancel it"
            raise ApplicationError(words, type="InvalidJob", non_retryable=True) from error
        self._running[child] = None
        child.add_done_callback(lambda _: self._running.pop(child, None))
        return child

    async def _start(self, job: AnyJob) -> workflow.ChildWorkflowHandle[Any, JobResult]:
        return await workflow.start_child_workflow(
            type(job).__name__,
            to_json(job),
            id=job.id,
            result_type=JobResult,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            priority=Priority(priority_key=job.priority, fairness_key=job.tenant),
            **presented(job),
        )

    async def signal(self, name: str, *arguments: Any) -> None:
        """Send a signal to all of them; one that ends meanwhile needs it no more."""
        await asyncio.gather(*(_signal(child, name, *arguments) for child in self._running))


async def _signal(child: workflow.ChildWorkflowHandle[Any, Any], name: str, *told: Any) -> None:
    with contextlib.suppress(FailureError):
        await child.signal(name, args=told)


def failure_of(error: ChildWorkflowError) -> ApplicationError:
    """What ended a child, in Longtake's words."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        told = cause.details
        return ApplicationError(cause.message, *told, type=cause.type, non_retryable=True)
    return ApplicationError(
        f"job {error.workflow_id} was ended through Temporal: {cause or error}",
        type="JobCanceled",
        non_retryable=True,
    )
