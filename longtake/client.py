"""The client: start jobs, follow them, steer them, and get their results.

    async with Longtake.connect() as longtake:
        handle = await longtake.start(Transcode(input="talk.mov", output="talk.mp4"))
        async for progress in handle.progress():
            print(progress.stage, progress.fraction)
        result = await handle.result()

`LongtakeSync` is the same without `await`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowHandle

from longtake import deliveries, identity, preflight, service, starting
from longtake.contracts.pipeline import Pipeline, StepStatus
from longtake.contracts.result import JobResult, JobStatus, JobSummary, Progress, State
from longtake.contracts.steps.common import JobRecord
from longtake.contracts.webhooks import Delivery
from longtake.errors import InvalidJob, JobNotFound
from longtake.events import at_the_end
from longtake.handle import JobHandle
from longtake.index import JobIndex
from longtake.kinds import AnyJob, parse
from longtake.listing import JobFilter, list_jobs, summarize
from longtake.outcome import outcome, raise_for
from longtake.pipelines.document import document_of
from longtake.refusals import service_errors
from longtake.runs import Run, find_run, job_of, with_job
from longtake.schedules import Schedules
from longtake.settings import Home
from longtake.watching import Watch, pauses

if TYPE_CHECKING:
    from typing import Self

DOCUMENT_WITHIN_S = 20.0
STARTS_AT_ONCE = 32
"""Of hundreds of jobs the others wait here: in the service's own queue whoever asks it for anything
would wait behind them all."""


class Longtake:
    """A client of Longtake, on a Temporal service of yours or on the embedded one.

    Reaches the service when it is first needed; the embedded one is started if it does not run.
    Every method raises ServiceUnreachable if that fails, and those that take an id JobNotFound.
    """

    def __init__(
        self, client: Client | None = None, *, notify: Callable[[str], None] | None = None
    ) -> None:
        """`client`: your own Temporal client; left out, the environment says where to connect.

        `notify` is told what takes time, such as the start of the embedded service.
        """
        self._client = client
        self._notify = notify
        self._embedded = client is None and service.configured() is None
        shared = "LONGTAKE_WORK_STORE" in os.environ  # then the workers' index is ours, too
        has_index = self._embedded or shared
        self._index = JobIndex(Home.from_environment().jobs) if has_index else None
        self._connecting = asyncio.Lock()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)

    @classmethod
    def connect(cls, *, notify: Callable[[str], None] | None = None) -> Longtake:
        """A client for the service that the environment names, or else for the embedded one."""
        return cls(notify=notify)

    async def __aenter__(self) -> Self:
        if not self._embedded:
            await self.temporal()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client = None

    async def temporal(self) -> Client:
        """The Temporal client underneath. Raises ServiceUnreachable."""
        async with self._connecting:
            if self._client is None:
                self._client = await service.connect(notify=self._notify)
            return self._client

    @property
    def schedules(self) -> Schedules:
        """Jobs that are started again and again."""
        return Schedules(self)

    async def start(self, job: AnyJob) -> JobHandle:
        """Start a job and return at once. The same job again joins it, or finds it done.

        Raises InvalidJob, and on the embedded service, before anything is started, also
        InputNotFound, InputForbidden, InputUnsupported and OutputConflict.
        """
        job = identity.located(job)
        if self._embedded:
            await asyncio.to_thread(preflight.check, job)
        client = await self.temporal()
        async with self._starting:
            begun = await starting.start(client, self._index, job, here=self._embedded)
        return JobHandle(self, begun.job_id, begun.found)

    async def run(self, job: AnyJob) -> JobResult:
        """Start a job and wait for its result. Raises the job's error, which has its `job_id`."""
        handle = await self.start(job)
        return await handle.result()

    def handle(self, job_id: str) -> JobHandle:
        """The job of this id, without looking whether there is one."""
        return JobHandle(self, job_id)

    async def get(self, job_id: str) -> JobStatus:
        """A job at this moment: state, progress, and its result or error when it is over."""
        client = await self.temporal()
        found = await self._find(job_id)
        if isinstance(found, JobRecord):
            return _status(found.summary, _result_of(found))
        found = await with_job(client, found)
        if not found.is_open:
            return _status(summarize(found), await outcome(client, job_id, found.run_id))
        progress = await Watch(client, job_id, embedded=self._embedded).look(found)
        return _status(summarize(found), JobResult(job_id=job_id, state=progress.state), progress)

    async def result(self, job_id: str) -> JobResult:
        """Wait for a job's end and return its result. Raises the job's error."""
        try:
            ended = await outcome(await self.temporal(), job_id)
        except JobNotFound:
            ended = _result_of(self._forgotten(job_id))
        return raise_for(ended)

    async def list(
        self,
        *,
        state: State | None = None,
        kind: str | None = None,
        tenant: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
        parent: str | None = None,
        limit: int = 50,
    ) -> tuple[JobSummary, ...]:
        """Jobs, the newest first, also those that Temporal has forgotten.

        `error`: the class of what a job failed by. `since`: jobs that began or ended from then on,
        with a time zone. `parent`: the jobs that this one runs; left out, those that no other runs.
        """
        client = await self.temporal()
        wanted = JobFilter(state, kind, tenant, error, since, parent)
        return await list_jobs(client, self._index, wanted, limit)

    async def progress(self, job_id: str) -> AsyncIterator[Progress]:
        """How far a job is, about twice a second, until it is over."""
        client = await self.temporal()
        watch = Watch(client, job_id, embedded=self._embedded)
        async for _ in pauses():
            found = await self._find(job_id)
            if isinstance(found, JobRecord):
                yield at_the_end(_result_of(found))
                return
            yield await watch.look(found)
            if not found.is_open:
                return

    async def cancel(self, job_id: str, reason: str = "") -> None:
        """Ask a job to stop and to leave no half output. Raises InvalidJob if it is over."""
        handle = await self._open(job_id, "cancel")
        with service_errors():
            # Not the signal: Temporal calls a workflow canceled only if Temporal was asked.
            await handle.cancel(reason=reason)

    async def pause(self, job_id: str) -> None:
        """Stop a job's running steps and start no new ones until it is resumed.

        What is finished is kept; each running step begins again. Raises InvalidJob if it is over.
        """
        handle = await self._open(job_id, "pause")
        with service_errors():
            await handle.signal("pause")

    async def resume(self, job_id: str) -> None:
        """Let a paused job go on. Raises InvalidJob if it is over."""
        handle = await self._open(job_id, "resume")
        with service_errors():
            await handle.signal("resume")

    async def set_priority(self, job_id: str, priority: int) -> None:
        """Give what a job has not yet started another priority: 1 runs first, 5 last.

        Raises InvalidJob if it is over, or for another number.
        """
        if priority not in range(1, 6):
            raise InvalidJob(f"priority {priority}: use 1 (runs first) to 5 (runs last)")
        handle = await self._open(job_id, "hurry")
        with service_errors():
            await handle.signal("set_priority", priority)

    async def steps(self, job_id: str) -> tuple[StepStatus, ...]:
        """How each step of a pipeline stands, and why it ran or not.

        Raises InvalidJob for a job that is none, or whose steps Temporal has forgotten.
        """
        found = await self._find(job_id)
        if isinstance(found, JobRecord):
            raise InvalidJob(f"job {job_id} ended long ago: what its steps did is forgotten")
        if found.kind != "pipeline":
            raise InvalidJob(f"job {job_id} is no pipeline, and has no steps")
        client = await self.temporal()
        with service_errors():
            told = await client.get_workflow_handle(job_id, run_id=found.run_id).query("steps")
        statuses = [StepStatus.model_validate(each) for each in told]
        return tuple([await self._with_fraction(client, status) for status in statuses])

    async def approve(self, job_id: str, step: str) -> None:
        """Let a step of a pipeline with `gate: approval` through.

        Raises InvalidJob if the job is over or has no such step, or if that step has begun or
        waits for nobody.
        """
        handle = await self._open(job_id, "approve")
        states = {status.name: status.state for status in await self._known_steps(job_id)}
        if states.get(step) not in ("waiting", "gated"):
            waiting = [name for name, state in states.items() if state == "gated"]
            words = f"is {states[step]}" if step in states else "is not there"
            raise InvalidJob(
                f"job {job_id}: step {step} {words}; waiting for approval: "
                f"{', '.join(waiting) or 'none'}"
            )
        job = await self.job(job_id)
        if isinstance(job, Pipeline) and document_of(job).steps[step].gate is None:
            raise InvalidJob(f"job {job_id}: step {step} has no gate: nobody needs to approve it")
        with service_errors():
            await handle.signal("approve", step)

    async def _known_steps(self, job_id: str) -> tuple[StepStatus, ...]:
        """The steps of a pipeline that may have been started a moment ago: its document is read
        first. Raises InvalidJob if that takes long."""
        deadline = monotonic() + DOCUMENT_WITHIN_S
        while not (statuses := await self.steps(job_id)):
            if monotonic() > deadline:
                raise InvalidJob(f"job {job_id}: its document is not read yet; try again later")
            await asyncio.sleep(0.1)
        return statuses

    async def _with_fraction(self, client: Client, status: StepStatus) -> StepStatus:
        """A running step with how far its job is."""
        if status.state != "running" or status.job_id is None:
            return status
        run = await find_run(client, status.job_id)
        if run is None or not run.is_open:
            return status
        looked = await Watch(client, status.job_id, embedded=self._embedded).look(run)
        return status.model_copy(update={"fraction": looked.fraction})

    async def retry(self, job_id: str) -> JobHandle:
        """Run a failed or cancelled job once more; steps that are done are not repeated.

        Raises InvalidJob for a job that runs or has succeeded.
        """
        found = await self._find(job_id)
        if _state(found) not in ("failed", "canceled"):
            raise InvalidJob(
                f"job {job_id} ({_state(found)}): only failed and canceled jobs are retried"
            )
        job = await self._job(job_id, found)
        if job.deadline is not None and job.deadline < datetime.now(UTC):
            job = job.model_copy(update={"deadline": None})  # it would only fail by it again
        await starting.restart(await self.temporal(), identity.located(job))
        return JobHandle(self, job_id)

    async def job(self, job_id: str) -> AnyJob:
        """What a job was asked to do."""
        return await self._job(job_id, await self._find(job_id))

    async def _job(self, job_id: str, found: Run | JobRecord) -> AnyJob:
        asked = (
            found.job
            if isinstance(found, JobRecord)
            else await job_of(await self.temporal(), found)
        )
        if asked is None:
            raise JobNotFound(f"what job {job_id} was asked to do is not known any more")
        try:
            return parse({**asked, "id": job_id})
        except InvalidJob as error:
            raise InvalidJob(f"job {job_id}: {error.message}") from error

    async def webhooks(self, job_id: str) -> tuple[Delivery, ...]:
        """What became of each event of a job, for each of its webhooks."""
        return await deliveries.deliveries(await self.temporal(), self._index, job_id)

    async def replay_webhooks(
        self, job_id: str, ids: Sequence[str] = (), *, everything: bool = False
    ) -> tuple[str, ...]:
        """Send events of a job again, and return their ids: those of `ids`, or `everything`, or
        else what was not taken yet. Raises InvalidJob for an id that the job has no event of."""
        client = await self.temporal()
        return await deliveries.replay(client, self._index, job_id, ids, everything=everything)

    async def _find(self, job_id: str) -> Run | JobRecord:
        """A job's latest run or, if Temporal has forgotten it, its record in the index."""
        run = await find_run(await self.temporal(), job_id)
        return self._forgotten(job_id) if run is None else run

    def _forgotten(self, job_id: str) -> JobRecord:
        """The record of a job that Temporal does not know. Raises JobNotFound."""
        record = self._index.read(job_id) if self._index else None
        if record is None:
            raise JobNotFound(f"there is no job {job_id!r}; `longtake list` shows those there are")
        return record

    async def _open(self, job_id: str, verb: str) -> WorkflowHandle[Any, Any]:
        """Temporal's handle of a job that is not over. Raises InvalidJob for one that is."""
        found = await self._find(job_id)
        if isinstance(found, JobRecord) or not found.is_open:
            raise InvalidJob(f"job {job_id} ({_state(found)}): there is nothing to {verb}")
        # Without the run: a batch goes on as a new one at any moment.
        return (await self.temporal()).get_workflow_handle(job_id)


def _state(found: Run | JobRecord) -> State:
    return found.summary.state if isinstance(found, JobRecord) else found.state


def _result_of(record: JobRecord) -> JobResult:
    if record.result is not None:
        return record.result
    state, error = record.summary.state, record.error or record.summary.error
    return JobResult(job_id=record.summary.job_id, state=state, error=error)


def _status(summary: JobSummary, result: JobResult, progress: Progress | None = None) -> JobStatus:
    merged = {
        **summary.model_dump(),
        **result.model_dump(),
        "progress": progress or at_the_end(result),
    }
    return JobStatus.model_validate(merged)
