from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecution
from temporalio.worker import Worker

from longtake import (
    CapabilityMissing,
    InputCorrupt,
    InvalidJob,
    JobCanceled,
    JobNotFound,
    Longtake,
    LongtakeError,
    Poisoned,
    Transcode,
)
from longtake.queues import CONTROL_QUEUE
from tests.client.stand_in import StandIn
from tests.dev_server import dev_server
from tests.patience import becomes, until


def job(clip: Path, **asked: Any) -> Transcode:
    output = str(clip.with_name("talk.mp4"))
    return Transcode.model_validate({"input": str(clip), "output": output, **asked})


def ids(longtake: Longtake, **wanted: Any) -> Callable[[], Awaitable[list[str]]]:
    """Asks for the jobs that are listed."""

    async def look() -> list[str]:
        return [summary.job_id for summary in await longtake.list(**wanted)]

    return look


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.usefixtures("control")
async def test_a_job_gives_its_result(longtake: Longtake, clip: Path) -> None:
    result = await longtake.run(job(clip))
    assert result.state == "succeeded"
    assert result.outputs[0].uri == str(clip.with_name("talk.mp4"))
    assert result.warnings == ("this is no video",)


@pytest.mark.usefixtures("control")
async def test_relative_paths_are_meant_from_here(longtake: Longtake, clip: Path) -> None:
    with in_folder(clip.parent):
        result = await longtake.run(Transcode(input="talk.mov", output="here.mp4"))
    assert result.outputs[0].uri == str(clip.with_name("here.mp4"))


@pytest.mark.usefixtures("control")
async def test_the_same_job_twice_at_once_is_one_job(longtake: Longtake, clip: Path) -> None:
    held = job(clip, labels={"hold": "yes"})
    first, second = await asyncio.gather(longtake.start(held), longtake.start(held))
    third = await longtake.start(held)
    assert first.id == second.id == third.id
    assert third.found == "running"
    await becomes(ids(longtake), [first.id])


@pytest.mark.usefixtures("control")
async def test_a_job_that_is_done_is_not_done_again(longtake: Longtake, clip: Path) -> None:
    await longtake.run(job(clip))
    output = clip.with_name("talk.mp4")
    written = output.stat().st_mtime_ns
    again = await longtake.start(job(clip))
    assert again.found == "done"
    assert (await again.result()).state == "succeeded"
    assert output.stat().st_mtime_ns == written


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("damage", [None, b"", b"other bytes, same length"])
async def test_a_job_whose_output_is_gone_or_spoilt_is_done_again(
    longtake: Longtake, clip: Path, damage: bytes | None
) -> None:
    await longtake.run(job(clip))
    output = clip.with_name("talk.mp4")
    whole = output.read_bytes()
    output.unlink()
    if damage is not None:
        await asyncio.sleep(0.05)
        output.write_bytes(damage[: len(whole)])
    assert (await longtake.start(job(clip))).found == "new"
    await longtake.run(job(clip))
    assert output.read_bytes() == whole


@pytest.mark.usefixtures("control")
async def test_a_changed_source_is_done_again_under_the_same_id(
    longtake: Longtake, clip: Path
) -> None:
    await longtake.run(job(clip, id="named"))
    await asyncio.to_thread(clip.write_bytes, b"other pictures")
    assert (await longtake.start(job(clip, id="named"))).found == "new"


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("state", ["running", "succeeded"])
async def test_an_id_of_another_job_is_refused_with_words(
    longtake: Longtake, clip: Path, state: str
) -> None:
    does = {"hold": "yes"} if state == "running" else {}
    handle = await longtake.start(job(clip, id="named", labels=does))
    if state == "succeeded":
        await handle.result()
    differs = (
        r"'named' belongs to another job: .*talk.mov → talk.mp4.*video.crf .there not set, here 20"
    )
    with pytest.raises(InvalidJob, match=differs):
        await longtake.start(job(clip, id="named", video={"crf": 20}))


@pytest.mark.usefixtures("control")
async def test_who_asks_for_it_does_not_make_another_job(longtake: Longtake, clip: Path) -> None:
    await longtake.run(job(clip, id="named"))
    assert (await longtake.start(job(clip, id="named", priority=1))).found == "done"


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("error", [InputCorrupt, Poisoned])
async def test_a_failed_job_raises_its_own_error(
    longtake: Longtake, clip: Path, error: type[LongtakeError]
) -> None:
    handle = await longtake.start(job(clip, labels={"fail": error.__name__}))
    with pytest.raises(error, match="it ended as") as raised:
        await handle.result()
    assert raised.value.job_id == handle.id
    status = await handle.status()
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.type == error.__name__


@pytest.mark.usefixtures("control")
async def test_an_unknown_failure_keeps_its_words(longtake: Longtake, clip: Path) -> None:
    with pytest.raises(LongtakeError, match="NewerError: it ended as NewerError"):
        await longtake.run(job(clip, labels={"fail": "NewerError"}))


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("by_signal", [False, True])
async def test_a_cancelled_job_says_so_and_why(
    longtake: Longtake, temporal: Client, clip: Path, by_signal: bool
) -> None:
    handle = await longtake.start(job(clip, labels={"hold": "yes"}))
    if by_signal:
        await temporal.get_workflow_handle(handle.id).signal("cancel", "wrong file")
    else:
        await handle.cancel("wrong file")
    with pytest.raises(JobCanceled, match="wrong file"):
        await handle.result()
    assert (await handle.status()).state == "canceled"
    await becomes(ids(longtake, state="canceled"), [handle.id])
    assert await longtake.list(state="failed") == ()


@pytest.mark.usefixtures("control")
async def test_a_terminated_job_is_canceled(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    handle = await longtake.start(job(clip, labels={"hold": "yes"}))
    await temporal.get_workflow_handle(handle.id).terminate(reason="by an operator")
    with pytest.raises(JobCanceled, match="by an operator"):
        await handle.result()


@pytest.mark.usefixtures("control")
async def test_a_job_is_paused_and_resumed(longtake: Longtake, clip: Path) -> None:
    handle = await longtake.start(job(clip, labels={"hold": "yes"}))
    await handle.pause()
    assert (await handle.status()).state == "paused"
    await handle.resume()
    assert (await handle.status()).state == "running"


@pytest.mark.usefixtures("control")
async def test_what_is_over_cannot_be_steered(longtake: Longtake, clip: Path) -> None:
    handle = await longtake.start(job(clip))
    await handle.result()
    for steer in (handle.cancel, handle.pause, handle.resume, handle.retry):
        with pytest.raises(InvalidJob, match=r"\(succeeded\)"):
            await steer()


async def test_an_unknown_job_is_not_found(longtake: Longtake) -> None:
    for look in (longtake.get, longtake.result, longtake.cancel, longtake.retry):
        with pytest.raises(JobNotFound, match="there is no job 'nothing'"):
            await look("nothing")


@pytest.mark.usefixtures("control")
async def test_a_failed_job_is_retried_as_it_was_asked_for(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    past = "2001-01-01T00:00:00Z"
    asked = job(clip, labels={"fail": "Poisoned"}, priority=2, deadline=past)
    first = await longtake.start(asked)
    with pytest.raises(Poisoned):
        await first.result()
    again = await longtake.retry(first.id)
    with pytest.raises(Poisoned):
        await again.result()

    async def both() -> list[WorkflowExecution]:
        runs = [run async for run in temporal.list_workflows(f"WorkflowId = '{first.id}'")]
        return runs if len(runs) == 2 else []

    memos = [(await run.memo())["job"] for run in await until(both)]
    assert all(memo["priority"] == 2 for memo in memos)
    assert sum("deadline" in memo for memo in memos) == 1


@pytest.mark.usefixtures("control")
async def test_a_job_started_by_another_sdk_is_like_any_other(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    document = {"input": str(clip), "output": str(clip.with_name("talk.mp4"))}
    await temporal.start_workflow("Transcode", document, id="theirs", task_queue=CONTROL_QUEUE)
    assert (await longtake.result("theirs")).state == "succeeded"
    assert (await longtake.start(job(clip, id="theirs"))).found == "done"
    with pytest.raises(InvalidJob, match="belongs to another job"):
        await longtake.start(job(clip, id="theirs", video={"crf": 20}))
    await becomes(ids(longtake), ["theirs"])


@pytest.mark.usefixtures("control")
async def test_the_temporal_ui_shows_plain_words(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    handle = await longtake.start(job(clip, labels={"hold": "y"}, tenant="acme", preset="web-720p"))
    described = await temporal.get_workflow_handle(handle.id).describe()
    assert await described.static_summary() == "transcode talk.mov → talk.mp4, web-720p"
    assert f"to `{clip.with_name('talk.mp4')}`" in str(await described.static_details())
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert attributes["LongtakeKind"] == "transcode"
    assert attributes["LongtakeTenant"] == "acme"
    assert attributes["LongtakePreset"] == "web-720p"


async def test_a_service_without_the_search_attributes_is_named(clip: Path) -> None:
    async with dev_server(attributes=()) as client:
        with pytest.raises(CapabilityMissing, match="search-attribute create --name LongtakeKind"):
            await Longtake(client).start(job(clip))


async def test_a_client_with_the_plain_converter_and_a_sandboxed_worker_do(
    temporal: Client, clip: Path
) -> None:
    async with Worker(temporal, task_queue=CONTROL_QUEUE, workflows=[StandIn]):
        assert (await Longtake(temporal).run(job(clip))).state == "succeeded"
