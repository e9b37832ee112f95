from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from temporalio.client import Client

from longtake import InputCorrupt, JobCanceled, LongtakeSync, Transcode
from tests.e2e.service import until
from tests.patience import WAIT_S


@pytest.fixture
def environment(temporal: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", temporal.namespace)


def job(clip: Path, **labels: str) -> Transcode:
    return Transcode(input=str(clip), output=str(clip.with_name("talk.mp4")), labels=labels)


def whole_life(clip: Path) -> None:
    with LongtakeSync.connect() as longtake:
        result = longtake.run(job(clip))
        assert result.state == "succeeded"
        assert longtake.get(result.job_id).state == "succeeded"
        assert longtake.result(result.job_id) == result
        (listed,) = until(longtake.list, 30, "it is listed")
        assert listed.job_id == result.job_id
        assert [progress.fraction for progress in longtake.progress(result.job_id)] == [1.0]


def steered(clip: Path) -> None:
    with LongtakeSync.connect() as longtake:
        handle = longtake.start(job(clip, hold="yes"))
        handle.pause()
        assert handle.status().state == "paused"
        handle.resume()
        handle.cancel("enough")
        with pytest.raises(JobCanceled, match="enough"):
            handle.result()
        assert [progress.state for progress in handle.progress()] == ["canceled"]


def retried(clip: Path) -> None:
    with LongtakeSync.connect() as longtake:
        handle = longtake.start(job(clip, fail="InputCorrupt"))
        with pytest.raises(InputCorrupt):
            handle.result()
        with pytest.raises(InputCorrupt):
            handle.retry().result()


@pytest.mark.usefixtures("environment", "control")
@pytest.mark.parametrize("life", [whole_life, steered, retried])
async def test_the_same_without_await(life: object, clip: Path) -> None:
    assert callable(life)
    await asyncio.to_thread(life, clip)
    assert "longtake" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("environment", "control")
async def test_a_closed_client_ends_the_calls_that_wait(clip: Path) -> None:
    longtake = await asyncio.to_thread(LongtakeSync.connect)
    handle = await asyncio.to_thread(longtake.start, job(clip, hold="yes"))
    waiting = asyncio.create_task(asyncio.to_thread(handle.result))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(longtake.close)
    with pytest.raises((CancelledError, asyncio.CancelledError)):
        async with asyncio.timeout(WAIT_S):
            await waiting
