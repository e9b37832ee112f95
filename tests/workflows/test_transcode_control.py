"""A Transcode that is canceled, paused or late, on a real server with steps that only pretend."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from longtake.contracts.steps.common import ASSEMBLE, AssembleRequest, Published
from tests.patience import WAIT_S
from tests.workflows.transcoding import JOB, Pretend, begin, control, failure, pretending, until


@pytest.fixture
async def pretend(client: Client) -> AsyncIterator[Pretend]:
    async with pretending(client) as steps:
        yield steps


async def test_the_cancel_signal_ends_the_job_and_notes_why(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await handle.signal("cancel", "changed our minds")
    error = await asyncio.wait_for(failure(handle), WAIT_S)
    assert error.type == "JobCanceled"
    assert "changed our minds" in error.message
    assert pretend.records[-1].summary.state == "canceled"
    assert pretend.assembled == []


async def test_a_cancel_that_comes_at_once_with_the_end_takes_nothing_back(client: Client) -> None:
    """Control is away as the film is published and the cancel comes: it learns of both at once."""
    steps = Pretend()
    begun, released = asyncio.Event(), asyncio.Event()

    @activity.defn(name=ASSEMBLE.name)
    async def assemble(request: AssembleRequest) -> Published:
        begun.set()
        await released.wait()
        return await steps.assemble(request)

    others = [step for step in steps.steps() if step != steps.assemble]
    queues = [(name, [*others, assemble]) for name in ("longtake-io", "longtake-cpu")]
    async with contextlib.AsyncExitStack() as stack:
        for name, activities in queues:
            await stack.enter_async_context(Worker(client, task_queue=name, activities=activities))
        async with control(client):
            handle = await begin(client)
            await asyncio.wait_for(begun.wait(), WAIT_S)
        await handle.cancel()
        released.set()
        await until(lambda: steps.assembled)
        async with control(client):
            result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert result["state"] == "succeeded"
    assert steps.records[-1].summary.state == "succeeded"


async def test_a_cancel_that_comes_as_the_end_is_noted_takes_nothing_back(
    client: Client, pretend: Pretend
) -> None:
    pretend.concluding.clear()
    handle = await begin(client)
    await until(lambda: pretend.records)
    await handle.cancel()
    await asyncio.sleep(0.5)
    pretend.concluding.set()
    result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert result["state"] == "succeeded"
    assert [record.summary.state for record in pretend.records] == ["succeeded"]


@pytest.mark.parametrize("how", ["signal", "temporal"])
async def test_a_cancel_counts_though_the_running_step_ends_well(
    client: Client, pretend: Pretend, how: str
) -> None:
    pretend.hang.clear()
    pretend.ignores_cancel = True
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await (handle.signal("cancel", "no") if how == "signal" else handle.cancel(reason="no"))
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), WAIT_S)
    assert pretend.assembled == []
    assert pretend.records[-1].summary.state == "canceled"
    assert "no" in str(pretend.records[-1].error)


async def test_a_deadline_counts_though_the_running_step_ends_well(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    pretend.ignores_cancel = True
    soon = datetime.now(UTC) + timedelta(seconds=2)
    error = await asyncio.wait_for(
        failure(await begin(client, JOB | {"deadline": soon.isoformat()})), WAIT_S
    )
    assert error.type == "DeadlineExceeded"
    assert pretend.assembled == []


async def test_pause_and_resume_at_once_lose_nothing(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await handle.signal("pause")
    await handle.signal("resume")
    await asyncio.sleep(0.5)
    pretend.hang.set()
    assert (await asyncio.wait_for(handle.result(), WAIT_S))["state"] == "succeeded"


async def test_a_step_whose_worker_died_as_the_pause_came_begins_again(
    client: Client, pretend: Pretend
) -> None:
    """Nobody answers the pause: the server ends the step, and tries none again that is to stop."""
    pretend.hang.clear()
    pretend.dies_of_cancel = True
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await handle.signal("pause")
    await asyncio.sleep(0.5)
    pretend.hang.set()
    await handle.signal("resume")
    assert (await asyncio.wait_for(handle.result(), WAIT_S))["state"] == "succeeded"


async def test_a_paused_job_can_be_canceled_at_once(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await handle.signal("pause")
    await handle.cancel(reason="no")
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), WAIT_S)
    assert pretend.records[-1].summary.state == "canceled"


async def test_a_paused_job_starts_nothing_until_it_is_resumed(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await handle.signal("pause")
    pretend.hang.set()
    progress = await handle.query("progress")
    assert progress["state"] == "paused"
    await asyncio.sleep(1)
    assert pretend.assembled == []
    await handle.signal("resume")
    assert (await asyncio.wait_for(handle.result(), WAIT_S))["state"] == "succeeded"
