"""The events of a job, on their way to the workflow that delivers them.

That workflow is a child which its parent does not wait for: it is there for as long as a receiver
does not answer, days if need be, and the job is over long before. A job that is told to nobody
sends no command, and its history is as if there were no webhooks.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.result import JobResult, JobSummary, Progress
    from longtake.contracts.steps.webhooks import (
        WEBHOOKS_WORKFLOW,
        Message,
        Messages,
        delivery_workflow_id,
    )
    from longtake.contracts.webhooks import EventMark, EventType, Webhook
    from longtake.events import end_event, event

PROGRESS_EVERY = timedelta(seconds=5)
PROGRESS_STEPS = 20
"""So many events of progress at most: one for each twentieth of a job."""


class Outbox:
    """Hands events over one after the other, beside the job's steps."""

    def __init__(self, notify: tuple[Webhook, ...], about: JobSummary) -> None:
        """`about`: whose events these are."""
        self._notify = notify
        self._about = about
        self._waiting: list[Message] = []
        self._handing: asyncio.Task[None] | None = None
        self._begun = False
        self._sequence = 0
        self._step = 0
        self._told_at = datetime.min.replace(tzinfo=UTC)

    def put(self, kind: EventType, progress: Progress) -> None:
        """Tell an event."""
        if self._notify:
            self._put(event(kind, self.mark(), self._notify, self._about, progress))

    def put_progress(self, progress: Progress) -> None:
        """Tell how far the job is, unless that was told a moment ago."""
        step = int(progress.fraction * PROGRESS_STEPS)
        if step > self._step and workflow.now() - self._told_at >= PROGRESS_EVERY:
            self._step, self._told_at = step, workflow.now()
            self.put("job.progress", progress)

    async def end(self, mark: EventMark, about: JobSummary, result: JobResult) -> None:
        """Tell the end, and wait until all is handed over.

        A cancel that comes meanwhile is too late: what was told of the end stays true.
        """
        self._put(end_event(mark, self._notify, about, result))
        while self._handing is not None and not self._handing.done():
            try:
                await asyncio.shield(self._handing)
            except asyncio.CancelledError:
                continue

    def mark(self) -> EventMark:
        """What tells the next event from all others of the job, those of its earlier runs too."""
        now = workflow.now()
        self._sequence = max(self._sequence + 1, round(now.timestamp() * 1e6))
        return EventMark(id=f"msg_{workflow.uuid4().hex}", sequence=self._sequence, timestamp=now)

    def _put(self, message: Message | None) -> None:
        if message is None:
            return
        self._waiting.append(message)
        if self._handing is None or self._handing.done():
            self._handing = asyncio.ensure_future(self._hand_over())

    async def _hand_over(self) -> None:
        while self._waiting:
            messages = Messages(
                job_id=self._about.job_id,
                tenant=self._about.tenant,
                messages=tuple(self._waiting),
            )
            self._waiting.clear()
            try:
                await self._give(messages)
            except FailureError as error:
                workflow.logger.error("events of this job are not delivered: %s", error)

    async def _give(self, messages: Messages) -> None:
        """To the workflow that delivers: a new one, or the one that runs. It may end, or an
        earlier run of the job may have left one, just as we ask."""
        while not await (_signal if self._begun else _start)(messages):
            self._begun = not self._begun
        self._begun = True


async def _start(messages: Messages) -> bool:
    """False if there is one."""
    try:
        child = await workflow.start_child_workflow(
            WEBHOOKS_WORKFLOW,
            messages,
            id=delivery_workflow_id(messages.job_id),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            priority=Priority(fairness_key=messages.tenant),
            static_summary=f"webhooks of job {messages.job_id}",
        )
    except WorkflowAlreadyStartedError:
        return False
    child.add_done_callback(_pass_over)
    return True


async def _signal(messages: Messages) -> bool:
    """False if there is none."""
    there = workflow.get_external_workflow_handle(delivery_workflow_id(messages.job_id))
    try:
        await there.signal("deliver", messages)
    except FailureError:
        return False
    return True


def _pass_over(child: asyncio.Future[Any]) -> None:
    """What comes of the deliveries is not the job's concern."""
    if not child.cancelled():
        child.exception()
