"""Schedules, on a real Temporal server; over days: `test_schedules_over_days.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec

from longtake import InvalidJob, JobNotFound, Longtake, Timetable, Transcode
from longtake.contracts.schedule import Overlap, ScheduleFacts
from longtake.kinds import to_json
from tests.dev_server import dev_server
from tests.patience import SLACK, until

pytestmark = pytest.mark.usefixtures("control")

NIGHTLY = Timetable(cron=("30 3 * * *",), time_zone="Europe/Berlin")


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    """A server of its own, whose schedules nobody else keeps busy."""
    async with dev_server() as client:
        yield client


def job(clip: Path, **asked: Any) -> Transcode:
    output = str(clip.with_name("scheduled.mp4"))
    return Transcode.model_validate({"input": str(clip), "output": output, **asked})


async def started(longtake: Longtake, schedule_id: str, least: int) -> ScheduleFacts:
    async def claim() -> ScheduleFacts | None:
        facts = await longtake.schedules.get(schedule_id)
        return facts if len(facts.recent) >= least else None

    found: ScheduleFacts = await until(claim)
    return found


async def test_a_schedule_tells_what_it_starts_and_when(longtake: Longtake, clip: Path) -> None:
    await longtake.schedules.create("nightly", job(clip), NIGHTLY, note="for the archive")
    (listed,) = await until(longtake.schedules.list)  # Temporal's lists come a moment behind
    facts = await longtake.schedules.get("nightly")
    assert (listed.schedule_id, listed.summary) == (facts.schedule_id, facts.summary)
    assert facts.timetable == NIGHTLY
    assert facts.note == "for the archive"
    assert facts.summary == "transcode talk.mov → scheduled.mp4, web-1080p"
    assert facts.job is not None
    assert facts.job["input"] == str(clip)
    # Half past three in Berlin, on five days one behind the other, whatever its summer time.
    berlin = [datetime.fromisoformat(at) for at in facts.next_at]
    assert {(at.hour, at.minute) for at in berlin} <= {(1, 30), (2, 30)}
    assert len({at.date() for at in berlin}) == 5
    await longtake.schedules.delete("nightly")

    async def is_gone() -> bool:
        return await longtake.schedules.list() == ()

    await until(is_gone)


async def test_a_year_of_nights_is_on_time(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    """By the server's own reckoning: summer time comes and goes."""
    await longtake.schedules.create("nightly", job(clip), NIGHTLY)
    asked = ListScheduleMatchingTimesRequest(namespace=temporal.namespace, schedule_id="nightly")
    asked.start_time.FromDatetime(datetime(2027, 1, 1, tzinfo=UTC))
    asked.end_time.FromDatetime(datetime(2028, 1, 1, tzinfo=UTC))
    found = await temporal.workflow_service.list_schedule_matching_times(asked)
    times = [
        each.ToDatetime(UTC).astimezone(ZoneInfo("Europe/Berlin")) for each in found.start_time
    ]
    nights = [date(2027, 1, 1) + timedelta(days=day) for day in range(365)]
    assert [(each.date(), each.time()) for each in times] == [(day, time(3, 30)) for day in nights]
    assert len({each.utcoffset() for each in times}) == 2


async def test_it_starts_a_job_at_each_time_that_is_due(longtake: Longtake, clip: Path) -> None:
    # They may overlap: on a busy machine one second is not enough for a job.
    each_second = Timetable(every_s=Fraction(1), overlap="allow-all", catch_up_s=Fraction(10))
    await longtake.schedules.create("often", job(clip), each_second)
    facts = await started(longtake, "often", 3)
    await longtake.schedules.delete("often")
    due = [datetime.fromisoformat(run.due_at) for run in reversed(facts.recent)]
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(due))
    for run in facts.recent:
        late = datetime.fromisoformat(run.started_at) - datetime.fromisoformat(run.due_at)
        assert timedelta() <= late < timedelta(seconds=5 * SLACK)
        assert (await longtake.result(run.job_id)).state == "succeeded"
    due_jobs = {run.job_id for run in facts.recent}

    async def are_listed() -> bool:
        return {summary.job_id for summary in await longtake.list()} >= due_jobs

    await until(are_listed)  # it starts jobs like any others


async def test_temporal_is_told_what_to_do_with_late_and_overlapping_starts(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    for overlap in get_args(Overlap):
        timetable = NIGHTLY.model_copy(update={"overlap": overlap, "catch_up_s": Fraction(7_200)})
        await longtake.schedules.create(overlap, job(clip), timetable)
        told = await temporal.get_schedule_handle(overlap).describe()
        assert told.schedule.policy.overlap.name == overlap.upper().replace("-", "_")
        assert told.schedule.policy.catchup_window == timedelta(hours=2)


async def test_a_paused_schedule_starts_nothing_until_it_is_resumed_or_triggered(
    longtake: Longtake, clip: Path
) -> None:
    schedules = longtake.schedules
    await schedules.create("paused", job(clip), NIGHTLY)
    await schedules.pause("paused", "the archive is full")
    facts = await schedules.get("paused")
    assert (facts.paused, facts.note) == (True, "the archive is full")
    await schedules.trigger("paused")
    await started(longtake, "paused", 1)
    await schedules.resume("paused")
    assert not (await schedules.get("paused")).paused


async def test_a_backfill_starts_what_was_due(longtake: Longtake, clip: Path) -> None:
    await longtake.schedules.create("nightly", job(clip), NIGHTLY)
    begin = datetime(2026, 1, 10, tzinfo=UTC)
    await longtake.schedules.backfill("nightly", begin, begin + timedelta(days=3))
    facts = await started(longtake, "nightly", 3)
    assert sorted(run.due_at for run in facts.recent) == [
        f"2026-01-{day}T02:30:00+00:00" for day in (10, 11, 12)
    ]


async def test_what_cannot_be_is_told(longtake: Longtake, clip: Path) -> None:
    schedules = longtake.schedules
    await schedules.create("mine", job(clip), NIGHTLY)
    with pytest.raises(InvalidJob, match="there is a schedule 'mine' already"):
        await schedules.create("mine", job(clip), NIGHTLY)
    with pytest.raises(InvalidJob, match="leave out the job's id"):
        await schedules.create("other", job(clip, id="one"), NIGHTLY)
    with pytest.raises(InvalidJob, match="every/night' will not do; use letters"):
        await schedules.create("every/night", job(clip), NIGHTLY)
    with pytest.raises(InvalidJob, match="use 179 at most"):
        await longtake.schedules.create("x" * 180, job(clip), NIGHTLY)
    with pytest.raises(ValueError, match="less than or equal to"):
        Timetable(every_s=Fraction(10**12))
    with pytest.raises(InvalidJob, match="leave out the job's deadline"):
        await schedules.create("other", job(clip, deadline="2030-01-31T18:00:00Z"), NIGHTLY)
    with pytest.raises(InvalidJob, match="there is no preset 'web-48p'"):
        await schedules.create("other", job(clip, preset="web-48p"), NIGHTLY)
    with pytest.raises(InvalidJob, match="Minute is not in range"):
        await schedules.create("other", job(clip), Timetable(cron=("61 3 * * *",)))
    nowhere = Timetable(cron=("1 3 * * *",), time_zone="Atlantis")
    with pytest.raises(InvalidJob, match="Atlantis"):
        await schedules.create("other", job(clip), nowhere)
    with pytest.raises(InvalidJob, match="no such time comes"):
        await schedules.create("other", job(clip), Timetable(cron=("0 0 31 2 *",)))
    hourly = Timetable(every_s=Fraction(3600), time_zone="Europe/Berlin")
    with pytest.raises(InvalidJob, match="time_zone is of cron"):
        await schedules.create("other", job(clip), hourly)
    with pytest.raises(JobNotFound):
        await schedules.get("other")
    for act in (schedules.get, schedules.pause, schedules.trigger, schedules.delete):
        with pytest.raises(JobNotFound, match="there is no schedule 'nothing'"):
            await act("nothing")


async def test_a_schedule_that_was_made_by_temporal_alone_is_one_like_others(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    for schedule_id, queue in (("theirs", "payments"), ("bare", "longtake")):
        action = ScheduleActionStartWorkflow(
            "Transcode", to_json(job(clip)), id=schedule_id, task_queue=queue
        )
        spec = ScheduleSpec(cron_expressions=["30 3 * * *"])
        await temporal.create_schedule(schedule_id, Schedule(action=action, spec=spec))

    async def are_known() -> bool:
        return len([entry async for entry in await temporal.list_schedules()]) == 2

    await until(are_known)
    (listed,) = await longtake.schedules.list()
    assert (listed.schedule_id, listed.summary) == ("bare", "transcode")
    await longtake.schedules.pause("bare")
    await longtake.schedules.trigger("bare")
    facts = await started(longtake, "bare", 1)
    assert facts.paused
    assert (await longtake.result(facts.recent[0].job_id)).state == "succeeded"


async def test_of_two_changes_at_once_both_are_made(longtake: Longtake, clip: Path) -> None:
    """Temporal alone would lose some of the first."""
    schedules = longtake.schedules
    for number in range(10):
        schedule_id = f"both-{number}"
        await schedules.create(schedule_id, job(clip), NIGHTLY)
        await schedules.pause(schedule_id, "no")
        await schedules.trigger(schedule_id)
        facts = await schedules.get(schedule_id)
        assert (facts.paused, facts.note) == (True, "no")
