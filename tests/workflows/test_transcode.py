"""The order of things in a Transcode, on a real Temporal server with steps that only pretend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import pytest
from temporalio.client import Client

from longtake.contracts import JobResult
from longtake.contracts.chapters import Breaks
from longtake.contracts.encode import VideoSettings
from tests.patience import WAIT_S
from tests.workflows.transcoding import JOB, Pretend, begin, failure, outstanding, pretending, until
from workflows.control import WINDOW


@pytest.fixture
async def pretend(client: Client) -> AsyncIterator[Pretend]:
    async with pretending(client) as steps:
        yield steps


async def test_plain_json_becomes_a_result(client: Client, pretend: Pretend) -> None:
    result = JobResult.model_validate(await (await begin(client)).result())
    assert result.state == "succeeded"
    assert result.stats.chunks == 3
    (request,) = pretend.assembled
    assert request.chunk_keys == ("chunk-0", "chunk-1", "chunk-2")
    assert pretend.records[-1].summary.state == "succeeded"


async def test_borders_are_looked_for_once_and_only_when_asked(
    client: Client, pretend: Pretend
) -> None:
    await (await begin(client)).result()
    assert pretend.looked == 0
    pretend.mismatch = True
    await (await begin(client, JOB | {"video": {"crop": "auto"}})).result()
    assert pretend.looked == 1
    assert [plan.crop for plan in pretend.plans[1:]] == ["320:132:0:24"] * 2


@pytest.mark.parametrize(("found", "key"), [(3, "chapters"), (1, None)])
async def test_chapters_are_found_beside_the_encode_once_and_only_when_asked(
    client: Client, pretend: Pretend, found: int, key: str | None
) -> None:
    await (await begin(client)).result()
    assert pretend.breaks == []
    pretend.mismatch, pretend.chapters = True, found
    asked = JOB | {"chapters": {"by": "black", "shortest_s": 5}, "start": 1}
    result = JobResult.model_validate(await (await begin(client, asked)).result())
    (request,) = pretend.breaks
    assert request.breaks == Breaks(by="black", shortest_s=Fraction(5))
    assert request.start == 1
    assert [each.chapters_key for each in pretend.assembled] == [None, key]
    assert result.decisions["chapters"].startswith("3 found" if key else "none")
    assert result.stats.cpu_s == 2


async def test_a_cancel_ends_the_search_for_chapters(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client, JOB | {"chapters": "detect"})
    await until(lambda: pretend.breaks)
    await handle.signal("cancel", "no")
    error = await asyncio.wait_for(failure(handle), WAIT_S)
    assert error.type == "JobCanceled"
    assert pretend.assembled == []


async def test_chunks_that_do_not_hold_are_planned_whole(client: Client, pretend: Pretend) -> None:
    pretend.mismatch = True
    result = JobResult.model_validate(await (await begin(client)).result())
    assert [plan.whole for plan in pretend.plans] == [False, True]
    assert pretend.assembled[-1].chunk_keys == ("chunk-0",)
    assert "one" in result.decisions["chunks"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"input": "/media/talk.mov"}, "output: Field required"),
        ({**JOB, "crff": 3}, "crff: there is no such field"),
        ({**JOB, "output": "/media/talk.xyz"}, "output ends in '.xyz': use one of "),
        ({**JOB, "priority": 9}, "priority: Input should be less than or equal to 5"),
    ],
    ids=["no output", "unknown field", "unknown container", "priority out of range"],
)
async def test_a_bad_job_fails_at_once_with_the_field(
    client: Client, pretend: Pretend, job: dict[str, Any], words: str
) -> None:
    error = await asyncio.wait_for(failure(await begin(client, job)), WAIT_S)
    assert error.type == "InvalidJob"
    assert error.message.startswith(words)
    assert pretend.plans == []


async def test_no_more_steps_areoutstanding_than_the_window(
    client: Client, pretend: Pretend
) -> None:
    pretend.chunks = WINDOW + 50
    pretend.hang.clear()
    handle = await begin(client)
    async with asyncio.timeout(WAIT_S):
        while await outstanding(handle) < WINDOW:  # noqa: ASYNC110 - the server's own state
            await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    # One whose heartbeat came too late on a busy machine is between two attempts.
    assert await outstanding(handle) <= WINDOW
    pretend.hang.set()
    result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert result["stats"]["chunks"] == WINDOW + 50


async def test_a_bit_rate_is_shared_by_what_the_first_passes_found(
    client: Client, pretend: Pretend
) -> None:
    pretend.chunks, pretend.target_bytes = 3, 6_000
    handle = await begin(client)
    await asyncio.wait_for(handle.result(), WAIT_S)
    asked = {r.number: (r.analysis_key, r.target_bytes) for r in pretend.chunk_requests}
    assert asked == {n: (f"analysis-{n}", 1_000 * (n + 1)) for n in range(3)}
    progress = await handle.query("progress")
    assert progress["fraction"] == 1.0


@pytest.mark.parametrize(
    ("video", "words"),
    [
        (VideoSettings(codec="vp9"), "do not encode vp9, only h264, hevc, av1"),
        (VideoSettings(codec="hevc", crf=0), "nothing lossless"),
    ],
)
async def test_what_no_gpu_encodes_is_encoded_on_the_cpu_and_said_so(
    client: Client, pretend: Pretend, video: VideoSettings, words: str
) -> None:
    pretend.video = video
    handle = await begin(client, JOB | {"gpu": "prefer"})
    result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert words in result["decisions"]["gpu"]
    assert not pretend.plans[-1].gpu
