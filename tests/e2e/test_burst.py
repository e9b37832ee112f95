"""Many jobs at once: all finish, each is run once, and the list of jobs has every one of them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from bench.history import length
from longtake import Command, JobResult, Longtake, Transcode
from longtake.runs import list_runs
from tests.e2e.service import Service
from tests.media.engine import run
from tests.patience import becomes

pytestmark = pytest.mark.slow

JOBS = 30


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "clip.mkv"
    run("-f", "lavfi", "-i", f"testsrc2=s=64x36:r=25:d={JOBS / 25}", "-c:v", "ffv1", target)
    return target


@pytest.fixture
def at_home(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service of this module, for clients in this process."""
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "LONGTAKE_WORK_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LONGTAKE_HOME", str(service.home))
    return service


async def test_a_burst_of_jobs_is_run_once_each_and_wholly_listed(
    at_home: Service, clip: Path
) -> None:
    jobs = {f"burst-{frames}": _first(frames, clip, at_home.out) for frames in range(1, JOBS + 1)}
    async with Longtake.connect() as longtake:
        # Asked for twice, as impatient programs do: the second joins the first.
        asked = [job for job in jobs.values() for _ in range(2)]
        running = asyncio.gather(*(longtake.run(job) for job in asked))
        seen = await _watched(longtake, running)
        await becomes(partial(_states, longtake), dict.fromkeys(jobs, "succeeded"))
        client = await longtake.temporal()
        runs = [run.job_id async for run in list_runs(client, "WorkflowType = 'Command'")]
        lengths = [await length(client, job_id) for job_id in jobs]

    results = {result.job_id: result for result in running.result()}
    assert results.keys() == jobs.keys()
    for frames, result in enumerate(results.values(), start=1):
        (made,) = result.outputs
        assert made.media is not None
        assert made.media.video[0].frames == frames
    assert {path.name for path in _outputs(at_home)} == {f"{job_id}.mkv" for job_id in jobs}
    assert sorted(runs) == sorted(jobs)
    assert [each.tries["run_command"] for each in lengths] == [1] * JOBS
    assert seen  # it answered while they ran
    assert set().union(*seen) <= jobs.keys()


@pytest.mark.usefixtures("at_home")
async def test_the_job_that_begins_first_does_not_wait_for_the_chunks_of_all_others(
    tmp_path: Path,
) -> None:
    film = tmp_path / "film.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=18,noise=alls=20:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", film),
    )
    jobs = [
        Transcode.model_validate(
            {
                "id": f"film-{number}",
                "input": str(film),
                "output": str(tmp_path / f"film-{number}.mp4"),
                "video": {"codec": "h264", "crf": 30 + number},  # nothing is shared
                "chunk_s": 2,
            }
        )
        for number in range(4)
    ]
    async with Longtake.connect() as longtake:
        results = await asyncio.gather(*(longtake.run(job) for job in jobs))
        client = await longtake.temporal()
        chunks = [await _chunks(client, str(job.id)) for job in jobs]
    assert {result.stats.chunks for result in results} == {len(chunks[0])}
    assert len(chunks[0]) >= 8
    first_end = min(max(end for _, end in each) for each in chunks)
    begun = sum(start < first_end for each in chunks for start, _ in each)
    assert begun <= sum(map(len, chunks)) / 2
    # The richest are given first: one that came last would leave the other processors idle.
    assert all(each == sorted(each) for each in chunks)


async def _chunks(client: Client, job_id: str) -> list[tuple[float, float]]:
    """When each chunk's encode began and ended, in seconds, in the order they were given."""
    named: list[int] = []
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    async for event in client.get_workflow_handle(job_id).fetch_history_events():
        moment = event.event_time.ToDatetime().timestamp()
        if event.activity_task_scheduled_event_attributes.activity_type.name == "encode_chunk":
            named.append(event.event_id)
        started = event.activity_task_started_event_attributes.scheduled_event_id
        ended = event.activity_task_completed_event_attributes.scheduled_event_id
        if started in named:
            starts[started] = moment
        if ended in named:
            ends[ended] = moment
    return [(starts[each], ends[each]) for each in named]


async def _states(longtake: Longtake) -> dict[str, str]:
    """What the list says of each job; it has none twice."""
    listed = await longtake.list(limit=2 * JOBS)
    states = {job.job_id: job.state for job in listed}
    assert len(states) == len(listed)
    return {job_id: str(state) for job_id, state in states.items()}


async def _watched(longtake: Longtake, jobs: asyncio.Future[list[JobResult]]) -> list[set[str]]:
    """What the list had, again and again until all jobs are done; each look is the whole list."""
    seen: list[set[str]] = []
    while not jobs.done():
        listed = [job.job_id for job in await longtake.list(limit=2 * JOBS)]
        assert len(listed) == len(set(listed))
        if listed:
            seen.append(set(listed))
            assert (await longtake.get(listed[-1])).job_id == listed[-1]
        await asyncio.sleep(0.1)
    await jobs
    return seen


def _outputs(service: Service) -> list[Path]:
    return list(service.out.iterdir())


def _first(frames: int, clip: Path, folder: Path) -> Command:
    """A job that copies so many frames."""
    return Command(
        id=f"burst-{frames}",
        input=str(clip),
        output=str(folder / f"burst-{frames}.mkv"),
        arguments=("-frames:v", str(frames), "-c", "copy"),
    )
