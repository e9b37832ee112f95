"""Schedules: jobs that Temporal starts again and again, by cron or at an interval.

    at_night = Timetable(cron=("0 3 * * *",), time_zone="Europe/Berlin")
    await longtake.schedules.create("nightly", job, at_night)

Temporal keeps them; a start that falls due while the service sleeps is made up for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import Priority
from temporalio.service import RPCError, RPCStatusCode

from longtake import identity
from longtake.contracts.schedule import Overlap, ScheduledRun, ScheduleFacts, Timetable
from longtake.errors import InvalidJob, JobNotFound, LongtakeError
from longtake.kinds import KINDS, AnyJob, to_json
from longtake.preflight import check_settings
from longtake.presented import presented
from longtake.queues import CONTROL_QUEUE
from longtake.refusals import plain, service_errors

if TYPE_CHECKING:
    from longtake.client import Longtake

_POLICIES: dict[Overlap, ScheduleOverlapPolicy] = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer-one": ScheduleOverlapPolicy.BUFFER_ONE,
    "buffer-all": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel-other": ScheduleOverlapPolicy.CANCEL_OTHER,
    "allow-all": ScheduleOverlapPolicy.ALLOW_ALL,
}
_TYPES = {contract.__name__ for contract in KINDS.values()}
MOST_LETTERS = 179
"""Of a schedule's id: a job's has 200, and 21 of them are the time, `-2030-01-31T02:00:00Z`."""
_NEXT = 5
"""Times to come that are told."""


class Schedules:
    """The schedules of a service. Every method raises ServiceUnreachable, and those that take the
    id of one that exists JobNotFound."""

    def __init__(self, longtake: Longtake) -> None:
        self._longtake = longtake

    async def create(
        self, schedule_id: str, job: AnyJob, timetable: Timetable, *, note: str = ""
    ) -> None:
        """Start `job` by a timetable from now on; each start is a job with an id of its own.

        Raises InvalidJob for a job with an id or a deadline, or with settings that no file can
        satisfy, a timetable that cannot be, or an id that is taken or that
        no job can be called by.
        """
        identity.must_be_id(schedule_id)  # its jobs are called by it
        if len(schedule_id) > MOST_LETTERS:
            raise InvalidJob(
                f"the id has {len(schedule_id)} characters: use {MOST_LETTERS} at most, for its "
                "jobs have the time behind it"
            )
        if job.id is not None:
            raise InvalidJob("leave out the job's id: each start makes one from the schedule's")
        if job.deadline is not None:
            raise InvalidJob(
                "leave out the job's deadline: it is one moment, and starts after it would all fail"
            )
        if timetable.every_s and timetable.time_zone != "UTC":
            raise InvalidJob("time_zone is of cron expressions; an interval is counted from 1970")
        check_settings(job)
        job = identity.located(job)
        words = presented(job)
        schedule = Schedule(
            action=ScheduleActionStartWorkflow(
                type(job).__name__,
                to_json(job),
                id=schedule_id,
                task_queue=CONTROL_QUEUE,
                memo=words["memo"],
                typed_search_attributes=words["search_attributes"],
                static_summary=words["static_summary"],
                static_details=words["static_details"],
                priority=Priority(priority_key=job.priority, fairness_key=job.tenant),
            ),
            spec=_spec(timetable),
            policy=SchedulePolicy(
                overlap=_POLICIES[timetable.overlap],
                catchup_window=timedelta(seconds=float(timetable.catch_up_s)),
            ),
            state=ScheduleState(note=note or None),
        )
        memo = {
            "summary": words["static_summary"],
            "timetable": timetable.model_dump(mode="json", exclude_none=True),
        }
        client = await self._longtake.temporal()
        try:
            with service_errors():
                await client.create_schedule(schedule_id, schedule, memo=memo)
        except LongtakeError as error:
            cause = error.__cause__
            if isinstance(cause, RPCError) and cause.status == RPCStatusCode.INVALID_ARGUMENT:
                raise InvalidJob(f"schedule {schedule_id!r}: {plain(cause.message)}") from error
            raise
        except ScheduleAlreadyRunningError as error:
            raise InvalidJob(
                f"there is a schedule {schedule_id!r} already: delete it first, or choose "
                "another id"
            ) from error
        await self._due_some_day(schedule_id)

    async def _due_some_day(self, schedule_id: str) -> None:
        """Only Temporal reads cron expressions to the end: what it takes may be never, as 31 2."""
        for _ in range(5):  # it may not yet have counted
            if (await self.get(schedule_id)).next_at:
                return
            await asyncio.sleep(0.2)
        await self.delete(schedule_id)
        raise InvalidJob(f"schedule {schedule_id!r} would start nothing: no such time comes")

    async def list(self) -> tuple[ScheduleFacts, ...]:
        """All schedules of jobs, by their ids, also those that were made elsewhere."""
        client = await self._longtake.temporal()
        found = []
        with service_errors():
            async for entry in await client.list_schedules():
                if entry.schedule is None or entry.info is None:
                    continue
                action, memo = entry.schedule.action, await entry.memo()
                assert isinstance(action, ScheduleListActionStartWorkflow)
                if "timetable" not in memo and not await _starts_a_job(client, entry.id, action):
                    continue
                facts = _facts(entry.id, memo, action.workflow, entry.schedule.state.paused)
                due = entry.info.next_action_times
                update = {"note": entry.schedule.state.note, "next_at": _times(due)}
                found.append(facts.model_copy(update=update))
        return tuple(sorted(found, key=lambda facts: facts.schedule_id))

    async def get(self, schedule_id: str) -> ScheduleFacts:
        """One schedule: what it starts, when, and what it started lately."""
        async with self._handle(schedule_id) as (client, handle):
            told = await handle.describe()
            memo = await told.memo()
        action, info = told.schedule.action, told.info
        assert isinstance(action, ScheduleActionStartWorkflow)
        (job,) = await client.data_converter.decode(list(action.args))
        runs = [
            ScheduledRun(
                job_id=run.action.workflow_id,
                due_at=_iso(run.scheduled_at),
                started_at=_iso(run.started_at),
            )
            for run in info.recent_actions
            if isinstance(run.action, ScheduleActionExecutionStartWorkflow)
        ]
        facts = _facts(schedule_id, memo, action.workflow, told.schedule.state.paused)
        return facts.model_copy(
            update={
                "note": told.schedule.state.note,
                "next_at": _times(info.next_action_times),
                "recent": tuple(reversed(runs)),
                "started": info.num_actions,
                "skipped": info.num_actions_skipped_overlap,
                "missed": info.num_actions_missed_catchup_window,
                "job": job,
            }
        )

    async def pause(self, schedule_id: str, note: str = "") -> None:
        """Start nothing until it is resumed. Jobs that run go on."""
        async with self._changing(schedule_id) as handle:
            await handle.pause(note=note or "paused by longtake")

    async def resume(self, schedule_id: str, note: str = "") -> None:
        """Go on, from the next time that is due."""
        async with self._changing(schedule_id) as handle:
            await handle.unpause(note=note or "resumed by longtake")

    async def trigger(self, schedule_id: str) -> None:
        """Start its job now, under the schedule's policy for overlaps."""
        async with self._changing(schedule_id) as handle:
            await handle.trigger()

    async def backfill(
        self, schedule_id: str, begin: datetime, end: datetime, overlap: Overlap = "allow-all"
    ) -> None:
        """Start its job once for every time that was due from `begin` to `end`."""
        if begin >= end:
            raise InvalidJob(f"nothing is due from {_iso(begin)} to {_iso(end)}: it ends before")
        # Temporal's interval lacks its beginning.
        span = ScheduleBackfill(begin - timedelta(microseconds=1), end, _POLICIES[overlap])
        async with self._changing(schedule_id) as handle:
            await handle.backfill(span)

    async def delete(self, schedule_id: str) -> None:
        """Forget it. Jobs that it started go on."""
        async with self._handle(schedule_id) as (_, handle):
            await handle.delete()

    @asynccontextmanager
    async def _changing(self, schedule_id: str) -> AsyncIterator[ScheduleHandle]:
        """For one change, which is done at the end.

        Temporal answers before it has made the change, and keeps only the later one of two that
        come at once: a pause before a trigger is lost. To describe the schedule waits for it.
        """
        async with self._handle(schedule_id) as (_, handle):
            yield handle
            await handle.describe()

    @asynccontextmanager
    async def _handle(self, schedule_id: str) -> AsyncIterator[tuple[Client, ScheduleHandle]]:
        client = await self._longtake.temporal()
        try:
            with service_errors():
                yield client, client.get_schedule_handle(schedule_id)
        except JobNotFound as error:
            raise JobNotFound(
                f"there is no schedule {schedule_id!r}; `longtake schedule list` shows those "
                "there are"
            ) from error


async def _starts_a_job(
    client: Client, schedule_id: str, listed: ScheduleListActionStartWorkflow
) -> bool:
    """Whether a schedule that was made elsewhere starts a job: others have such types, too."""
    if listed.workflow not in _TYPES:
        return False
    try:
        action = (await client.get_schedule_handle(schedule_id).describe()).schedule.action
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False  # Temporal's lists come a moment behind
        raise
    return isinstance(action, ScheduleActionStartWorkflow) and action.task_queue == CONTROL_QUEUE


def _spec(timetable: Timetable) -> ScheduleSpec:
    every = timetable.every_s
    return ScheduleSpec(
        cron_expressions=list(timetable.cron),
        intervals=[ScheduleIntervalSpec(timedelta(seconds=float(every)))] if every else [],
        time_zone_name=timetable.time_zone if timetable.cron else None,
    )


def _facts(
    schedule_id: str, memo: Mapping[str, Any], workflow_type: str, paused: bool
) -> ScheduleFacts:
    timetable = memo.get("timetable")  # one that was made elsewhere has no memo
    return ScheduleFacts(
        schedule_id=schedule_id,
        summary=str(memo.get("summary", workflow_type.lower())),
        timetable=Timetable.model_validate(timetable) if timetable else None,
        paused=paused,
    )


def _times(moments: Any) -> tuple[str, ...]:
    return tuple(_iso(moment) for moment in list(moments)[:_NEXT])


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
