"""The workflow `Pipeline`: do a document's steps, those that do not need each other side by side.

A step is a child workflow, `{job id}.{step}`, or, of the kinds probe, checksums and report, an
activity. At most 100 steps of a handful of events each: the history stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

from workflows.account import read
from workflows.control import LONGEST, JobWorkflow
from workflows.failures import job_error
from workflows.tasks import end

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from longtake.contracts.job import Job
    from longtake.contracts.pipeline import (
        Checksums,
        Pipeline,
        PipelineReport,
        ProbeStep,
        Step,
        StepStatus,
    )
    from longtake.contracts.result import JobError, JobResult
    from longtake.contracts.steps.pipeline import (
        FIND_FACTS,
        LOOK_AT_STEP,
        NOTE_STEP,
        PREPARE_PIPELINE,
        WRITE_DOCUMENT,
        FactsAsked,
        StepDone,
        WriteRequest,
    )
    from longtake.errors import InvalidJob
    from longtake.kinds import parse, to_json
    from longtake.pipelines.course import LAST, Course
    from longtake.pipelines.draw import markdown
    from longtake.presets import describe


@workflow.defn(name="Pipeline")
class PipelineWorkflow(JobWorkflow):
    """Files and a document in, whatever its steps publish out."""

    def __init__(self) -> None:
        super().__init__()
        self._approved: set[str] = set()
        self._course: Course | None = None
        self._told: tuple[str | None, str | None] = (None, None)

    @workflow.run
    async def run(self, job: Pipeline) -> JobResult:
        """Run the job to its end."""
        self.preset = job.preset_name
        return await self.run_job(job, "pipeline", self._pipeline(job))

    @workflow.signal(description='Let a step with a gate through. Input: its name, as "publish".')
    async def approve(self, step: str) -> None:
        """Let a step with `gate: approval` through, now or when its turn comes."""
        self._approved.add(step)
        self.tell()

    @workflow.query(description="How each step stands. No input.")
    def steps(self) -> list[StepStatus]:
        """How each step stands; empty until the document was read."""
        return list(self._course.statuses.values()) if self._course else []

    async def _pipeline(self, job: Pipeline) -> JobResult:
        self.enter("probing")
        plan = await self.step(PREPARE_PIPELINE, job, "check the document, look at the inputs")
        before = not workflow.patched("what has no picture has no height")
        self._course = course = Course(job, plan, without_picture=before)
        self.total = self.frames_total = len(course.statuses)
        self.enter("running")
        try:
            await self._do_all(job, course)
        except asyncio.CancelledError:
            await self._do_last(job, course)
            raise
        elapsed = workflow.now() - workflow.info().start_time
        wall_s = round(elapsed.total_seconds(), 3)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=course.outputs,
            sources=read(*plan.sources),
            stats=course.stats.model_copy(update={"wall_s": wall_s}),
            warnings=course.warnings,
        )

    async def _do_all(self, job: Pipeline, course: Course) -> None:
        """Begin steps as their turn comes, until none is left. Raises what a step failed by that
        may not fail."""
        running: dict[str, asyncio.Task[None]] = {}
        looking: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                approved = set(self._approved)
                moves = course.moves(approved)
                for _ in moves.skipped:
                    self.finished(1)
                if moves.failed:
                    raise _failure(course.statuses[moves.failed[0]])
                if moves.over:
                    return
                for name in moves.gated:
                    if name not in looking:
                        looking[name] = asyncio.ensure_future(self._look(job, course, name))
                for name in moves.ready:
                    course.set(name, state="running")
                    running[name] = asyncio.ensure_future(self._do(job, course, name))
                self.tell()
                self._tell_turn(job)
                await self._change(approved, running.values())
                for name in [name for name, task in running.items() if task.done()]:
                    running.pop(name).result()
                    self.finished(1)
        except (Exception, asyncio.CancelledError):
            await end([*running.values(), *looking.values()])
            self.tell()
            raise

    async def _change(
        self, approved: Collection[str], running: Collection[asyncio.Task[None]]
    ) -> None:
        """Wait until a step ends or another one is approved."""
        await workflow.wait_condition(
            lambda: self._approved != approved or any(task.done() for task in running)
        )

    async def _look(self, job: Pipeline, course: Course, name: str) -> None:
        """Ask nobody for what was let through before, or is done and would come out the same."""
        if workflow.patched("an approval counts for later runs, too"):
            with contextlib.suppress(ActivityError, InvalidJob, ValidationError):
                made = course.job(name, self._envelope(job, name, course.step(name)))
                asked = course.asked(name, made)
                words = f"{name}: was it approved before?"
                looked = await self.step(LOOK_AT_STEP, asked, words)
                if looked.before or looked.approved:
                    self._approved.add(name)
        if name not in self._approved:
            course.set(name, state="gated")
            self.tell()
            self._tell_turn(job)

    async def _do(self, job: Pipeline, course: Course, name: str) -> None:
        """Do a step, unless it was done before and nothing changed. A failure is only noted."""
        try:
            made = course.job(name, self._envelope(job, name, course.step(name)))
            asked = course.asked(name, made, approved=True)
            looked = await self.step(LOOK_AT_STEP, asked, f"{name}: was it done before?")
            if looked.before:
                course.done(name, looked.before, reused=True, why=looked.why)
            else:
                course.set(name, why=looked.why)
                self.folders += looked.folders
                result = await self._make(course, name, made)
                _check(course, name, result)
                done = StepDone(asked=asked, result=result)
                await self.step(NOTE_STEP, done, f"{name}: note what it made")
                course.done(name, result, reused=False, why=looked.why)
            for reference, uri in course.unknown(name).items():
                asked_for = FactsAsked(uri=uri)
                course.know(reference, await self.step(FIND_FACTS, asked_for, f"probe {reference}"))
        except (InvalidJob, ValidationError) as error:
            course.failed(name, _invalid(error))
        except (ActivityError, ApplicationError, ChildWorkflowError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                course.set(name, state="canceled")
                raise
            left = _left(error) if course.step(name).kind == "batch" else None
            course.failed(name, job_error(error), left)
            self.published += left.outputs if left else ()
        except asyncio.CancelledError:
            course.set(name, state="canceled")
            raise
        self.tell()

    def _tell_turn(self, job: Pipeline) -> None:
        """Tell webhooks when other steps begin, or a person is waited for: these are the stages
        of a pipeline."""
        turn = (self.label(), self.waiting_for())
        if not job.notify or turn in ((None, None), self._told):
            return
        self._told = turn
        if workflow.patched("webhooks are told of a pipeline's steps"):
            self._events.put("job.stage", self.progress())

    async def _do_last(self, job: Pipeline, course: Course) -> None:
        """Do the step on cancel. A pipeline that missed its deadline was not cancelled."""
        step = course.document.on_cancel
        if step is None or self.late:
            return
        self._paused = False
        course.statuses[LAST] = StepStatus(
            name=LAST, kind=step.kind, label=step.label, state="running"
        )
        self.tell()
        # A task of its own: this one is canceled.
        await asyncio.ensure_future(self._do(job, course, LAST))

    async def _make(self, course: Course, name: str, job: Job) -> JobResult:
        assert job.id is not None
        if isinstance(job, ProbeStep | Checksums | PipelineReport):
            request = WriteRequest(
                job_id=job.id,
                job=job,
                overwrite=course.may_replace(name),
                told=course.told(name) if isinstance(job, PipelineReport) else (),
            )
            left = job.deadline - workflow.now() if job.deadline else LONGEST
            left = max(left, timedelta(seconds=1))
            self.staged += (job.output,)
            return await self.step(WRITE_DOCUMENT, request, f"{name}: write", for_at_most=left)
        course.set(name, job_id=job.id)
        self.tell()
        return await self.child(parse(to_json(job)), job.id)

    def _envelope(self, job: Pipeline, name: str, step: Step) -> dict[str, Any]:
        envelope: dict[str, Any] = {
            "id": f"{workflow.info().workflow_id}.{name}",
            "tenant": job.tenant,
            "priority": step.priority or job.priority,
            "group": step.group or job.group,
        }
        if step.deadline_s is not None:
            envelope["deadline"] = workflow.now() + timedelta(seconds=float(step.deadline_s))
        return envelope

    def label(self) -> str | None:
        """The authors' own words for what runs, or the names of the steps."""
        running = self._in("running")
        words = ", ".join(status.label or status.name for status in running)
        if any(status.name == LAST for status in running):
            return f"canceled, does {words}"
        return words or None

    def waiting_for(self) -> str | None:
        """A person who looks, if nothing else goes on."""
        gated = self._in("gated")
        if not gated or self._in("running"):
            return None
        mine = workflow.info().workflow_id
        names = ", ".join(status.name for status in gated)
        return f"approval of {names}: `longtake approve {mine} {gated[0].name}`"

    def details(self) -> str:
        """The steps in a table, below how far the job is."""
        if self._course is None:
            return super().details()
        parts = [super().details()]
        gates = {name for name, step in self._course.document.steps.items() if step.gate}
        if unknown := sorted(self._approved - gates):
            parts.append(
                f"Approved, but there is no step of that name with a gate: {', '.join(unknown)}; "
                f"those with a gate: {', '.join(sorted(gates)) or 'none'}"
            )
        parts.append(markdown(self._course.document, self._course.statuses))
        return "\n\n".join(parts)

    def _in(self, state: str) -> list[StepStatus]:
        statuses = self._course.statuses.values() if self._course else ()
        return [status for status in statuses if status.state == state]


def _check(course: Course, name: str, result: JobResult) -> None:
    """Two pipelines may write to one folder, but not by steps of one name at the same time."""
    if uri := course.replaced(result):
        raise InvalidJob(
            f"step {name} read {uri}, and another job had replaced it: run pipelines that write "
            "to one folder one after the other, or give each a folder of its own"
        )


def _left(error: Exception) -> JobResult | None:
    """What a job that failed has published all the same."""
    told = error.details if isinstance(error, ApplicationError) else ()
    return JobResult.model_validate(told[0]) if told else None


def _invalid(error: InvalidJob | ValidationError) -> JobError:
    words = describe(error) if isinstance(error, ValidationError) else error.message
    return JobError(type="InvalidJob", message=words)


def _failure(status: StepStatus) -> ApplicationError:
    assert status.error is not None
    return ApplicationError(
        f"step {status.name}: {status.error.message}", type=status.error.type, non_retryable=True
    )
