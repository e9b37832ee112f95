from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from longtake import Longtake, Progress, Stitch, Transcode, waiting
from longtake.queues import CONTROL_QUEUE
from tests.client.stand_in import StandIn
from tests.patience import WAIT_S


def job(clip: Path, **labels: str) -> Transcode:
    return Transcode(input=str(clip), output=str(clip.with_name("talk.mp4")), labels=labels)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker there is has told so by now."""
    monkeypatch.setattr(waiting, "SETTLING", timedelta(0))


async def seen(longtake: Longtake, job_id: str, wanted: Any) -> Progress:
    async with asyncio.timeout(WAIT_S):
        async for progress in longtake.progress(job_id):
            if wanted(progress):
                return progress
    raise AssertionError("the job ended before")


@pytest.mark.usefixtures("control")
async def test_progress_ends_with_the_job(longtake: Longtake, clip: Path) -> None:
    handle = await longtake.start(job(clip))
    told = [progress async for progress in handle.progress()]
    assert told[-1].state == "succeeded"
    assert told[-1].fraction == 1.0


@pytest.mark.usefixtures("control", "cpu")
async def test_running_chunks_are_part_of_the_progress(longtake: Longtake, clip: Path) -> None:
    handle = await longtake.start(job(clip, encode="yes"))
    progress = await seen(longtake, handle.id, lambda progress: progress.fps)
    assert progress.stage == "encoding"
    assert progress.fraction == pytest.approx(0.5 + 0.5 / 2 / 2)
    assert progress.fps == 40
    assert progress.speed is None, "NaN is no speed"
    assert progress.waiting_for is None


@pytest.mark.usefixtures("control", "settled")
async def test_a_step_that_nobody_takes_is_named_with_the_way_out(
    longtake: Longtake, clip: Path
) -> None:
    handle = await longtake.start(job(clip, encode="yes"))
    progress = await seen(longtake, handle.id, lambda progress: progress.waiting_for)
    assert progress.waiting_for == "a cpu worker: start one with `longtake worker --role cpu`"


@pytest.mark.usefixtures("settled")
async def test_without_any_worker_the_answer_comes_and_says_so(
    longtake: Longtake, clip: Path
) -> None:
    handle = await longtake.start(job(clip))
    asked = monotonic()
    status = await longtake.get(handle.id)
    assert monotonic() - asked < 15
    assert status.state == "queued"
    assert status.progress.waiting_for is not None
    assert "longtake worker --role control" in status.progress.waiting_for


async def test_what_is_counted_is_told_before_the_workflow_answers(
    longtake: Longtake, clip: Path
) -> None:
    asked = {"timeline": [str(clip)], "outputs": [{"uri": str(clip.with_name("talk.mp3"))}]}
    handle = await longtake.start(Stitch.model_validate(asked))
    assert (await longtake.get(handle.id)).progress.counts == "steps"


async def test_a_control_worker_that_went_away_does_not_stop_the_display(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    async with Worker(temporal, task_queue=CONTROL_QUEUE, workflows=[StandIn]):
        handle = await longtake.start(job(clip, hold="yes"))
        following = longtake.progress(handle.id)
        before = await seen_in(following)
    async with asyncio.timeout(WAIT_S):
        after = [await anext(following) for _ in range(4)]
    assert all(progress.fraction >= before.fraction for progress in after)
    assert {progress.chunks_total for progress in after} == {4}


async def seen_in(following: Any) -> Progress:
    async for progress in following:
        if progress.chunks_total:
            assert isinstance(progress, Progress)
            return progress
    raise AssertionError("the job ended before")
