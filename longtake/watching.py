"""Watching one job: ask its workflow, and get along without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from time import monotonic
from typing import get_args

from pydantic import ValidationError
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from longtake.contracts.job import Job
from longtake.contracts.result import Progress, Stage
from longtake.contracts.steps.counted import COUNTED
from longtake.kinds import KINDS
from longtake.progress import Meter, merge
from longtake.runs import Run, find_run
from longtake.waiting import waiting_for

_ANSWER_WITHIN = timedelta(seconds=0.7)
"""Who asks hears within a second, also where two hundred jobs have just been started: then the
stage, and what running steps say."""
_LEAVE_ALONE_S = 5.0
"""How long a workflow is not asked again after it did not answer."""

_LOOKS = 5
"""So often a job is looked at again because a chunk ended between two answers."""

_SLOWEST_LOOK_S = 0.5


class Watch:
    """One watcher of one job; remembers what the workflow said last."""

    def __init__(self, client: Client, job_id: str, *, embedded: bool) -> None:
        self._client = client
        self._embedded = embedded
        self._job_id = job_id
        self._meter = Meter()
        self._counted: Progress | None = None
        self._ask_again_at = 0.0
        self._steps: dict[str, Watch] = {}
        """Of a pipeline: of its jobs that run, by id."""

    async def look(self, run: Run) -> Progress:
        """The progress of a run that was just described."""
        run, answered = await self._at_one_moment(run)
        if self._counted and not run.is_open and run.state != "succeeded":
            await self._ask()  # what ended it had not yet ended when it answered last
        counted = self._counted or self._unasked(run)
        state = counted.state if answered else run.state
        counted = Progress.model_validate(
            {
                **counted.model_dump(),
                "job_id": self._job_id,
                "state": state,
                "stage": self._stage(run, counted, answered=answered),
                "waiting_for": await self._waiting_for(run, counted, answered=answered),
            }
        )
        working = () if state == "paused" else run.steps  # what still beats, is being stopped
        beats = [step.beat for step in working if step.name in COUNTED and step.started]
        if answered and run.kind == "pipeline":
            beats += await self._steps_under_way(run)
        return self._meter.read(merge(counted, beats))

    async def _steps_under_way(self, run: Run) -> list[Mapping[str, object]]:
        """How far the steps are that run as jobs of their own, in the words of a heartbeat."""
        self._steps = {each: self._steps.get(each) or self._of(each) for each in run.children}
        looks = (each.fraction() for each in self._steps.values())
        return [{"fraction": fraction} for fraction in await asyncio.gather(*looks)]

    def _of(self, job_id: str) -> Watch:
        return Watch(self._client, job_id, embedded=self._embedded)

    async def fraction(self) -> float:
        """How far the job is by now, from 0 to 1."""
        run = await find_run(self._client, self._job_id)
        return (await self.look(run)).fraction if run else 0.0

    def _stage(self, run: Run, counted: Progress, *, answered: bool) -> str | None:
        known = run.stage if run.stage in get_args(Stage) else None
        return (counted.stage if answered else known) if run.is_open else None

    async def _waiting_for(self, run: Run, counted: Progress, *, answered: bool) -> str | None:
        if not run.is_open:
            return None
        return counted.waiting_for or await waiting_for(
            self._client, run, answered=answered, embedded=self._embedded
        )

    def _unasked(self, run: Run) -> Progress:
        """What is known without the workflow's answer."""
        kind = KINDS.get(run.kind, Job)
        return Progress(job_id=self._job_id, state=run.state, counts=kind.COUNTS)

    async def _at_one_moment(self, run: Run) -> tuple[Run, bool]:
        """What Temporal and the workflow say, and whether the workflow answered.

        The two are asked one after the other, and a chunk that ends in between would count
        twice: so ask again until the workflow says the same before and after.
        """
        said, answered = self._done, run.is_open and await self._ask()
        for _ in range(_LOOKS):
            if not answered or self._done == said:
                break
            again = await find_run(self._client, self._job_id)
            if again is None or not again.is_open:
                break
            run, said = again, self._done
            answered = await self._ask()
        return run, answered

    @property
    def _done(self) -> int | None:
        return self._counted.chunks_done if self._counted else None

    async def _ask(self) -> bool:
        """Ask the workflow. It cannot answer while no control worker is there."""
        if monotonic() < self._ask_again_at:
            return False
        handle = self._client.get_workflow_handle(self._job_id)
        try:
            answer = await handle.query("progress", rpc_timeout=_ANSWER_WITHIN)
            self._counted = Progress.model_validate(answer)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ValidationError):
            self._ask_again_at = monotonic() + _LEAVE_ALONE_S
            return False
        return True


async def pauses() -> AsyncIterator[None]:
    """Pauses between looks: short ones first, for a short job should not wait for us."""
    begun = monotonic()
    while True:
        yield
        await asyncio.sleep(min(_SLOWEST_LOOK_S, 0.05 + (monotonic() - begun) / 10))
