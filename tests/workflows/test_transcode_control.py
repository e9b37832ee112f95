"""A Transcode that is canceled, paused or late, on a real server with steps that only pretend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError

from tests.patience import WAIT_S
from tests.workflows.transcoding import JOB, Pretend, begin, failure, pretending, until


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
