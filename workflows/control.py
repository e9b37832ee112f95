"""What every job workflow can do: run steps, tell its progress, pause, resume, cancel, end.

Signals `pause`, `resume`, `set_priority` and `cancel` (with a reason) come from Longtake, the
Temporal CLI or the Temporal UI alike. Temporal's own cancel does the same as the signal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy, SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    is_cancelled_exception,
)

from workflows.children import Children, failure_of
from workflows.failures import failure, job_error, was_stopped
from workflows.outbox import Outbox
from workflows.tasks import ended, is_canceled, undisturbed

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.base import Contract
    from longtake.contracts.job import Job
    from longtake.contracts.result import (
        JobError,
        JobResult,
        JobSummary,
        Output,
        Progress,
        Stage,
        State,
    )
    from longtake.contracts.steps.common import CANCELED, CONCLUDE, JobRecord, Step
    from longtake.kinds import AnyJob
    from longtake.queues import COMPUTING, Role, task_queue

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out", bound=Contract)

KIND = SearchAttributeKey.for_keyword("LongtakeKind")
TENANT = SearchAttributeKey.for_keyword("LongtakeTenant")
STAGE = SearchAttributeKey.for_keyword("LongtakeStage")
PRESET = SearchAttributeKey.for_keyword("LongtakePreset")
ERROR = SearchAttributeKey.for_keyword("LongtakeError")

HEARTBEAT = timedelta(seconds=15)
LONGEST = timedelta(days=7)
"""A step that is not done by then fails; attempts are not counted, deploys use them up."""
RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30)
)
WINDOW = 200
"""Steps outstanding at once: far below Temporal's limit of 2,000."""


class JobWorkflow:
    """Base of the job workflows."""

    def __init__(self) -> None:
        self._job: Job = Job()
        self._paused = False
        self._priority: int | None = None
        self._begun = False
        self._reason = ""
        self._main: asyncio.Task[JobResult] | None = None
        self._running: set[workflow.ActivityHandle[Any]] = set()
        self._held: set[workflow.ActivityHandle[Any]] = set()
        self._children = Children()
        self._events = Outbox((), JobSummary(job_id="", kind="", state="running"))
        self._window = asyncio.Semaphore(WINDOW)
        self.late = False
        self.began_at: datetime | None = None
        self.staged: tuple[str, ...] = ()
        self.remains = ""
        """What a job that was cancelled left to read, in words."""
        self.folders: tuple[str, ...] = ()
        self.published: tuple[Output, ...] = ()
        """What a job that did not succeed has published all the same: a batch its report."""
        self.stage: Stage | None = None
        self.preset: str | None = None
        self.done = 0
        self.total = 0
        self.frames_done = 0
        self.frames_total = 0

    @workflow.signal(description="Stop running steps and start no new ones. No input.")
    async def pause(self) -> None:
        """Stop running steps and start no new ones. Each running step begins again later."""
        self._paused = True
        for handle in self._running - self._held:
            self._held.add(handle)
            handle.cancel()
        self._show("paused")
        await self._children.signal("pause")

    @workflow.signal(description="Let a paused job go on. No input.")
    async def resume(self) -> None:
        """Go on."""
        self._paused = False
        if self.stage is not None:
            self._show(self.stage)
        await self._children.signal("resume")

    @workflow.signal(description="Of what is not yet started. Input: 1 runs first, 5 last.")
    async def set_priority(self, priority: int) -> None:
        """Give what is not yet started another priority: 1 runs first, 5 last."""
        self._priority = min(5, max(1, priority))
        await self._children.signal("set_priority", self._priority)

    @workflow.signal(description="End the job; nothing half-done stays. Input: why, in quotes.")
    async def cancel(self, reason: Any = "") -> None:
        """End the job; nothing half-done stays. Whatever the reason is, it is a cancel."""
        if self._is_ending():
            return
        words = reason if isinstance(reason, str) else json.dumps(reason, ensure_ascii=False)
        self._reason = words if reason else "asked by a signal"
        if self._main is not None:
            self._main.cancel()

    @workflow.query(description="How far the job is. No input.")
    def progress(self) -> Progress:
        """How far the job is, by finished steps."""
        finished = self.frames_done / self.frames_total if self.frames_total else 0.0
        return Progress(
            job_id=workflow.info().workflow_id,
            state="paused" if self._paused else "running",
            stage=self.stage,
            label=self.label(),
            fraction=min(1.0, finished),
            chunks_done=self.done,
            chunks_total=self.total,
            counts=self._job.COUNTS,
            waiting_for=self.waiting_for(),
        )

    async def run_job(self, job: Job, kind: str, work: Awaitable[JobResult]) -> JobResult:
        """Run `work` to its end: a result, a failure in Longtake's words, or cancelled."""
        self._job, self.staged = job, job.targets
        workflow.upsert_search_attributes([KIND.value_set(kind), TENANT.value_set(job.tenant)])
        self._events = Outbox(job.notify, self._summary(kind, "running"))
        if workflow.info().continued_run_id is None:
            self._events.put("job.started", self.progress())
        self._main = asyncio.ensure_future(work)
        if self._reason and workflow.patched("a cancel that came first counts"):
            self._main.cancel()
        timer = asyncio.ensure_future(self._deadline(job.deadline)) if job.deadline else None
        try:
            result = await self._outcome(self._main)
            stats = result.stats.model_copy(update={"counts": job.COUNTS})
            result = result.model_copy(update={"stats": stats})
            await self._conclude(job, kind, result)
            return result
        except (ActivityError, ApplicationError, ChildWorkflowError) as error:
            # A step whose worker died as it was told to stop ends by its missing heartbeats.
            if is_cancelled_exception(error) or self._main.cancelling():
                return await self._canceled(job, kind, error)
            raise await self._failed(job, kind, job_error(error)) from error
        except asyncio.CancelledError as error:
            return await self._canceled(job, kind, error)
        finally:
            if timer is not None:
                timer.cancel()

    def _is_ending(self) -> bool:
        """Was the job told to end before? The first who says so counts: what tidies up behind a
        cancel, as the last step of a pipeline, must not be cancelled by the next one."""
        told = bool(self._reason) or (self._main is not None and self._main.cancelling() > 0)
        return told and workflow.patched("the first cancel counts")

    async def _outcome(self, work: asyncio.Task[JobResult]) -> JobResult:
        """What the job's work ends with; Temporal's cancel reaches it."""
        while not work.done():
            try:
                await workflow.wait({work})
            except asyncio.CancelledError:
                if not self._is_ending():
                    work.cancel()
        return work.result()

    async def step(
        self,
        step: Step[In, Out],
        request: In,
        words: str,
        *,
        role: Role | None = None,
        for_at_most: timedelta = LONGEST,
        ends_the_job: bool = False,
    ) -> Out:
        """Run a step on the queue of its role, or another, as often as it takes; wait while paused.

        A cancel that meets a step which then ends well still counts, unless that step
        `ends_the_job`: what is published is published.
        """
        async with self._window:
            while True:
                await workflow.wait_condition(lambda: not self._paused)
                handle: workflow.ActivityHandle[Out] = workflow.start_activity(
                    step.name,
                    request,
                    result_type=step.gives,
                    task_queue=self._queue(role or step.role),
                    schedule_to_close_timeout=for_at_most,
                    heartbeat_timeout=HEARTBEAT,
                    retry_policy=RETRY,
                    cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                    priority=Priority(priority_key=self._turn, fairness_key=self._job.tenant),
                    summary=words,
                )
                self._running.add(handle)
                try:
                    result = await (ended(handle) if ends_the_job else handle)
                except ActivityError as error:
                    if handle not in self._held or is_canceled() or not was_stopped(error):
                        raise
                else:
                    self._begun = True
                    if is_canceled() and not ends_the_job:
                        raise asyncio.CancelledError
                    return result
                finally:
                    self._running.discard(handle)
                    self._held.discard(handle)

    async def child(self, job: AnyJob, job_id: str) -> JobResult:
        """Run a job as a child of this one; wait while paused. It belongs to this job's tenant.

        Raises ApplicationError with the type and the words of the child's own error, or
        JobCanceled if it was cancelled, or ended by Temporal, on its own.
        """
        async with self._window:
            await workflow.wait_condition(lambda: not self._paused)
            mine: dict[str, object] = {"id": job_id, "tenant": self._job.tenant}
            if self._priority:
                mine["priority"] = self._priority
            handle = await self._children.start(job.model_copy(update=mine))
            if self._paused:  # it came while the child was started
                await self._children.signal("pause")
            try:
                return await handle
            except ChildWorkflowError as error:
                if is_canceled():
                    raise
                raise failure_of(error) from error

    @property
    def priority(self) -> int:
        """Of what is started from now on."""
        return self._priority or self._job.priority

    @property
    def _turn(self) -> int:
        """Priority of a step: what is begun goes before what only wants to begin.

        Else of 200 jobs started at once the first could end only when all had been looked at.
        """
        return self.priority if self._begun else min(5, self.priority + 1)

    def _queue(self, role: Role) -> str:
        return task_queue(role, self._job.group if role in COMPUTING else None)

    def enter(self, stage: Stage) -> None:
        """Begin a stage; people see it in lists and in Temporal's UI."""
        changed, self.stage = stage != self.stage, stage
        self._show("paused" if self._paused else stage)
        if changed:
            self._events.put("job.stage", self.progress())

    def finished(self, frames: int) -> None:
        """Count a finished chunk."""
        self.done += 1
        self.frames_done += frames
        self.tell()
        self._events.put_progress(self.progress())

    def _show(self, word: str) -> None:
        """Show a stage, or `paused` or `canceled`, in lists and in Temporal's UI."""
        workflow.upsert_search_attributes([STAGE.value_set(word)])
        self.tell()

    def tell(self) -> None:
        """Tell Temporal's UI how the job stands."""
        workflow.set_current_details(self.details())

    def details(self) -> str:
        """How the job stands, in Markdown."""
        words = f"**{'paused' if self._paused else self.label() or self.stage or 'queued'}**"
        if self.total:
            words += f": {self.done} of {self.total} {self._job.COUNTS} done"
        return words

    def waiting_for(self) -> str | None:
        """What the job waits for that no worker can give; a kind may have such a thing."""
        return None

    def label(self) -> str | None:
        """The job's own word for the stage."""
        return self._job.stage_labels.get(self.stage) if self.stage else None

    async def _deadline(self, deadline: datetime) -> None:
        await asyncio.sleep(max(0.0, (deadline - workflow.now()).total_seconds()))
        if self._main is not None and not self._is_ending():
            self.late = True
            self._main.cancel()

    async def _canceled(self, job: Job, kind: str, error: BaseException) -> JobResult:
        if self.late and job.deadline is not None:
            late_at = job.deadline.isoformat(sep=" ", timespec="seconds")
            # A step has its seconds anew each time.
            free = "" if workflow.info().parent else " without a deadline"
            late = JobError(
                type="DeadlineExceeded",
                message=f"the job was not done by its deadline, {late_at}; what is finished "
                f"is kept, and `longtake retry` goes on from there{free}",
            )
            if self.remains:
                late = late.model_copy(update={"message": f"{late.message}; {self.remains}"})
            raise await self._failed(job, kind, late) from error
        reason = self._reason or workflow.cancellation_reason() or "cancelled through Temporal"
        if self.remains:
            reason += f"; {self.remains}"
            # Temporal tells the words of who asked for the cancel, and none of ours.
            workflow.upsert_memo({CANCELED: reason})
        result = JobResult(
            job_id=workflow.info().workflow_id,
            state="canceled",
            outputs=self.published,
            error=JobError(type="JobCanceled", message=reason),
        )
        await self._conclude(job, kind, result)
        if self._reason:
            # Temporal calls a workflow canceled only if Temporal itself was asked; and a
            # workflow may not ask on its own behalf.
            self._show("canceled")
            raise failure(result) from error
        raise asyncio.CancelledError(reason) from error

    async def _failed(self, job: Job, kind: str, error: JobError) -> ApplicationError:
        if workflow.patched("failed jobs are found by their error"):
            workflow.upsert_search_attributes([ERROR.value_set(error.type)])
        result = JobResult(
            job_id=workflow.info().workflow_id,
            state="failed",
            outputs=self.published,
            error=error,
        )
        await self._conclude(job, kind, result)
        return failure(result)

    async def _conclude(self, job: Job, kind: str, result: JobResult) -> None:
        """Note the end in the job index, then tell it. A job is not lost if the note is."""
        closed = {"closed_at": workflow.now().isoformat(), "error": result.error}
        summary = self._summary(kind, result.state).model_copy(update=closed)
        mark = self._events.mark() if job.notify else None
        self._paused = False
        record = JobRecord(
            summary=summary,
            job=job.model_dump(mode="json"),
            result=result,
            error=result.error,
            staged=self.staged,
            folders=self.folders,
            told=mark,
        )
        note = self.step(CONCLUDE, record, "note the end", for_at_most=timedelta(minutes=1))
        try:
            # A task of its own: this one may be canceled, before or while it is noted.
            await undisturbed(asyncio.ensure_future(note))
        except ActivityError as error:
            workflow.logger.warning("the job index was not written: %s", error.cause)
        if mark is not None:
            await self._events.end(mark, summary, result)

    def _summary(self, kind: str, state: State) -> JobSummary:
        info, job = workflow.info(), self._job
        return JobSummary(
            job_id=info.workflow_id,
            kind=kind,
            state=state,
            tenant=job.tenant,
            labels=job.labels,
            preset=self.preset,
            stage=self.stage,
            input=next(iter(job.sources), None),
            output=next(iter(job.targets), None),
            parent=info.parent.workflow_id if info.parent else None,
            started_at=(self.began_at or info.start_time).isoformat(),
        )
