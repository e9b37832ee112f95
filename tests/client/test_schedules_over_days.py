"""Schedules over days, on a real Temporal server whose clock is put forward: fired on time, with
overlap and catch-up as set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from longtake import Longtake, Timetable, Transcode
from longtake.contracts.schedule import Overlap, ScheduledRun, ScheduleFacts
from tests.dev_server import namespace, skipping_server
from tests.patience import SLACK, becomes, until
from tests.skipped_time import Clock

pytestmark = pytest.mark.usefixtures("control")

BERLIN = ZoneInfo("Europe/Berlin")
# Summer time begins between the first of these nights and the second.
NIGHTS = [datetime(2027, 3, day, 3, 30, tzinfo=BERLIN) for day in (27, 28, 29)]
NOON_BEFORE = datetime(2027, 3, 26, 12, tzinfo=BERLIN)
NOON_AFTER = datetime(2027, 3, 29, 12, tzinfo=BERLIN)
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[tuple[str, Clock]]:
    with skipping_server() as (address, clock):
        clock.skip_to(NOON_BEFORE.timestamp())
        yield address, clock


@pytest.fixture
def clock(server: tuple[str, Clock]) -> Clock:
    return server[1]


@pytest.fixture
async def temporal(server: tuple[str, Clock]) -> Client:
    return await namespace(server[0])


def job(clip: Path, **labels: str) -> Transcode:
    return Transcode(input=str(clip), output=str(clip.with_name("nightly.mp4")), labels=labels)


def nightly(overlap: Overlap, catch_up_s: int = 3600) -> Timetable:
    return Timetable(
        cron=("30 3 * * *",),
        time_zone="Europe/Berlin",
        overlap=overlap,
        catch_up_s=Fraction(catch_up_s),
    )


async def facts_where(longtake: Longtake, started: int, skipped: int = 0) -> ScheduleFacts:
    """The schedule, as soon as it has started and skipped that many."""

    async def claim() -> ScheduleFacts | None:
        facts = await longtake.schedules.get("nightly")
        return facts if (facts.started, facts.skipped) == (started, skipped) else None

    found: ScheduleFacts = await until(claim)
    return found


async def pass_nights(longtake: Longtake, clock: Clock, nights: Sequence[datetime]) -> None:
    """Each until the schedule looks for the next one."""
    for night in nights:
        clock.skip_to((night - SECOND).timestamp())

        async def is_over(night: datetime = night) -> bool:
            facts = await longtake.schedules.get("nightly")
            return datetime.fromisoformat(facts.next_at[0]) > night

        await until(is_over)


def due(run: ScheduledRun) -> datetime:
    return datetime.fromisoformat(run.due_at)


async def test_it_fires_on_time_night_for_night(
    longtake: Longtake, clock: Clock, clip: Path
) -> None:
    await longtake.schedules.create("nightly", job(clip), nightly("skip"))
    for number, night in enumerate(NIGHTS, start=1):
        await pass_nights(longtake, clock, [night])
        run = (await facts_where(longtake, started=number)).recent[0]
        assert due(run) == night
        late = datetime.fromisoformat(run.started_at) - night
        assert timedelta() <= late < 5 * SLACK * SECOND
        assert (await longtake.result(run.job_id)).state == "succeeded"


@pytest.mark.parametrize(
    ("overlap", "states", "behind"),
    [
        ("skip", ["running"], []),
        ("buffer-one", ["running"], [NIGHTS[1]]),
        ("buffer-all", ["running"], [NIGHTS[1], NIGHTS[2]]),
        ("cancel-other", ["canceled", "canceled", "running"], []),
        ("allow-all", ["running", "running", "running"], []),
    ],
)
async def test_a_job_that_runs_for_days_meets_the_next_nights(
    longtake: Longtake,
    clock: Clock,
    clip: Path,
    overlap: Overlap,
    states: list[str],
    behind: list[datetime],
) -> None:
    """`behind`: the nights whose jobs are started late, when the one before has ended."""
    await longtake.schedules.create("nightly", job(clip, hold="yes"), nightly(overlap))
    await pass_nights(longtake, clock, NIGHTS)
    skipped = len(NIGHTS) - len(states) - len(behind)
    facts = await facts_where(longtake, len(states), skipped)
    runs = facts.recent[::-1]
    assert [due(run) for run in runs] == NIGHTS[: len(states)]

    async def seen() -> list[str]:
        return [(await longtake.get(run.job_id)).state for run in runs]

    await becomes(seen, states)
    for number, night in enumerate(behind, start=2):
        await longtake.cancel(facts.recent[0].job_id, reason="it is late")
        facts = await facts_where(longtake, number, skipped)
        assert due(facts.recent[0]) == night


async def test_nights_that_the_service_slept_through_are_made_up_for_if_not_too_old(
    longtake: Longtake, clock: Clock, clip: Path
) -> None:
    await longtake.schedules.create("nightly", job(clip), nightly("allow-all", 36 * 3600))
    clock.skip_to(NOON_AFTER.timestamp())
    facts = await facts_where(longtake, started=2)
    assert {due(run) for run in facts.recent} == set(NIGHTS[1:])
    assert facts.missed == 1
    assert {(await longtake.result(run.job_id)).state for run in facts.recent} == {"succeeded"}
