"""The client without `await`, for scripts, notebooks and web frameworks that are not async.

    with LongtakeSync.connect() as longtake:
        result = longtake.run(Transcode(input="talk.mov", output="talk.mp4"))

An event loop in a thread of its own does the work; any number of threads may share one client.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from longtake.client import Longtake
from longtake.contracts.pipeline import StepStatus
from longtake.contracts.result import JobResult, JobStatus, JobSummary, Progress, State
from longtake.contracts.schedule import Overlap, ScheduleFacts, Timetable
from longtake.contracts.webhooks import Delivery
from longtake.kinds import AnyJob
from longtake.schedules import Schedules
from longtake.starting import Found

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


class LongtakeSync:
    """See Longtake: the same methods, the same errors."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a call that waits for a job must not keep a program from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="longtake", daemon=True)
        self._thread.start()
        try:
            self._client = self._wait(_made())
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(cls) -> LongtakeSync:
        """A client for the service that the environment names, or else for the embedded one."""
        return cls()

    def close(self) -> None:
        """Let go of the service; calls that still wait are cancelled."""
        if self._loop.is_closed():
            return
        self._wait(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self._wait(self._client.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def schedules(self) -> SchedulesSync:
        """Jobs that are started again and again."""
        return SchedulesSync(self._client.schedules, self._wait)

    def start(self, job: AnyJob) -> JobHandleSync:
        """Start a job and return at once."""
        begun = self._wait(self._client.start(job))
        return JobHandleSync(self, begun.id, begun.found)

    def run(self, job: AnyJob) -> JobResult:
        """Start a job and wait for its result. Raises the job's error."""
        return self._wait(self._client.run(job))

    def handle(self, job_id: str) -> JobHandleSync:
        """The job of this id, without looking whether there is one."""
        return JobHandleSync(self, job_id)

    def get(self, job_id: str) -> JobStatus:
        """A job at this moment."""
        return self._wait(self._client.get(job_id))

    def result(self, job_id: str) -> JobResult:
        """Wait for a job's end and return its result. Raises the job's error."""
        return self._wait(self._client.result(job_id))

    def list(
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
        """Jobs, the newest first."""
        which: dict[str, Any] = {"state": state, "kind": kind, "tenant": tenant, "error": error}
        listed = self._client.list(**which, since=since, parent=parent, limit=limit)
        return self._wait(listed)

    def progress(self, job_id: str) -> Iterator[Progress]:
        """How far a job is, about twice a second, until it is over."""
        following = self._client.progress(job_id)
        while (progress := self._wait(_next(following))) is not None:
            yield progress

    def cancel(self, job_id: str, reason: str = "") -> None:
        """Ask a job to stop and to leave no half output."""
        self._wait(self._client.cancel(job_id, reason))

    def pause(self, job_id: str) -> None:
        """Stop a job's running steps and start no new ones until it is resumed."""
        self._wait(self._client.pause(job_id))

    def resume(self, job_id: str) -> None:
        """Let a paused job go on."""
        self._wait(self._client.resume(job_id))

    def set_priority(self, job_id: str, priority: int) -> None:
        """Give what a job has not yet started another priority: 1 runs first, 5 last."""
        self._wait(self._client.set_priority(job_id, priority))

    def steps(self, job_id: str) -> tuple[StepStatus, ...]:
        """How each step of a pipeline stands."""
        return self._wait(self._client.steps(job_id))

    def approve(self, job_id: str, step: str) -> None:
        """Let a step with `gate: approval` through."""
        self._wait(self._client.approve(job_id, step))

    def retry(self, job_id: str) -> JobHandleSync:
        """Run a failed or cancelled job once more."""
        return JobHandleSync(self, self._wait(self._client.retry(job_id)).id)

    def job(self, job_id: str) -> AnyJob:
        """What a job was asked to do."""
        return self._wait(self._client.job(job_id))

    def webhooks(self, job_id: str) -> tuple[Delivery, ...]:
        """What became of each event of a job."""
        return self._wait(self._client.webhooks(job_id))

    def replay_webhooks(
        self, job_id: str, ids: Sequence[str] = (), *, everything: bool = False
    ) -> tuple[str, ...]:
        """Send events of a job again."""
        return self._wait(self._client.replay_webhooks(job_id, ids, everything=everything))

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return waiting.result()
        except BaseException:
            waiting.cancel()
            raise


@dataclass(frozen=True)
class JobHandleSync:
    """One job, and what can be done with it. See JobHandle."""

    longtake: LongtakeSync
    id: str
    found: Found = "new"
    """Whether `start` met the same job already running, or done."""

    def status(self) -> JobStatus:
        """The job at this moment."""
        return self.longtake.get(self.id)

    def result(self) -> JobResult:
        """Wait for the end. Raises the job's error."""
        return self.longtake.result(self.id)

    def progress(self) -> Iterator[Progress]:
        """How far the job is, until it is over."""
        return self.longtake.progress(self.id)

    def cancel(self, reason: str = "") -> None:
        """Ask the job to stop."""
        self.longtake.cancel(self.id, reason)

    def pause(self) -> None:
        """Stop running steps and start no new ones."""
        self.longtake.pause(self.id)

    def resume(self) -> None:
        """Go on after a pause."""
        self.longtake.resume(self.id)

    def set_priority(self, priority: int) -> None:
        """Give what is not yet started another priority."""
        self.longtake.set_priority(self.id, priority)

    def steps(self) -> tuple[StepStatus, ...]:
        """How each step of a pipeline stands."""
        return self.longtake.steps(self.id)

    def approve(self, step: str) -> None:
        """Let a step with `gate: approval` through."""
        self.longtake.approve(self.id, step)

    def retry(self) -> JobHandleSync:
        """Run it once more after it failed."""
        return self.longtake.retry(self.id)


class Wait(Protocol):
    """How a call is waited for."""

    def __call__(self, call: Coroutine[Any, Any, T], /) -> T:
        """What came of it, on the client's loop."""


@dataclass(frozen=True)
class SchedulesSync:
    """See Schedules: the same methods, the same errors."""

    _schedules: Schedules
    _wait: Wait

    def create(
        self, schedule_id: str, job: AnyJob, timetable: Timetable, *, note: str = ""
    ) -> None:
        """Start `job` by a timetable from now on."""
        self._wait(self._schedules.create(schedule_id, job, timetable, note=note))

    def list(self) -> tuple[ScheduleFacts, ...]:
        """All schedules of jobs."""
        return self._wait(self._schedules.list())

    def get(self, schedule_id: str) -> ScheduleFacts:
        """One schedule: what it starts, when, and what it started lately."""
        return self._wait(self._schedules.get(schedule_id))

    def pause(self, schedule_id: str, note: str = "") -> None:
        """Start nothing until it is resumed."""
        self._wait(self._schedules.pause(schedule_id, note))

    def resume(self, schedule_id: str, note: str = "") -> None:
        """Go on, from the next time that is due."""
        self._wait(self._schedules.resume(schedule_id, note))

    def trigger(self, schedule_id: str) -> None:
        """Start its job now."""
        self._wait(self._schedules.trigger(schedule_id))

    def backfill(
        self, schedule_id: str, begin: datetime, end: datetime, overlap: Overlap = "allow-all"
    ) -> None:
        """Start its job once for every time that was due from `begin` to `end`."""
        self._wait(self._schedules.backfill(schedule_id, begin, end, overlap))

    def delete(self, schedule_id: str) -> None:
        """Forget it."""
        self._wait(self._schedules.delete(schedule_id))


async def _made() -> Longtake:
    # On the loop that will use it.
    return Longtake()


async def _next(following: AsyncIterator[Progress]) -> Progress | None:
    # StopAsyncIteration may not leave a coroutine.
    return await anext(following, None)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
