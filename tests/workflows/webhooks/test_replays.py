"""What was not delivered is found, and can be sent again."""

from __future__ import annotations

import asyncio
import time

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from longtake import deliveries
from longtake.contracts import JobResult
from longtake.errors import InvalidJob
from tests.patience import WAIT_S, until
from tests.receiver import Receiver, status
from tests.workflows.webhooks.telling import Pretend, begin, ended, log


async def test_what_no_receiver_takes_is_found_and_can_be_sent_again(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", "")
    job = await begin(client, receiver)
    assert JobResult.model_validate(await job.result()).state == "succeeded"
    assert await ended(client, job) is WorkflowExecutionStatus.FAILED
    assert receiver.got == []
    lines = await log(client, None, job.id)
    assert {line.state for line in lines} == {"undelivered"}
    assert f"LONGTAKE_WEBHOOK_ALLOW={receiver.host}" in str(lines[0].answer)
    assert "in-the-query" not in repr(lines)

    monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", receiver.host)
    with pytest.raises(InvalidJob, match="has no event 'msg_0'"):
        await deliveries.replay(client, None, job.id, ["msg_0"])
    one = lines[-1].id
    assert await deliveries.replay(client, None, job.id, [one]) == (one,)
    await until(lambda: receiver.types() == ["job.completed"])
    rest = await deliveries.replay(client, None, job.id)
    assert rest == tuple(line.id for line in lines[:-1])
    await until(lambda: len(receiver.taken) == len(lines))
    assert {got.id for got in receiver.taken} == {line.id for line in lines}
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert {line.state for line in await log(client, None, job.id)} == {"delivered"}
    assert await deliveries.replay(client, None, job.id) == ()


async def test_what_waits_for_hours_is_sent_at_once_when_asked(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.answers = [status(503, Retry_After="7200")]
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    await until(lambda: receiver.got)
    async with asyncio.timeout(WAIT_S):
        while not (line := (await log(client, None, job.id))[0]).next_try:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (line.state, line.tries, line.answer) == ("trying", 1, "HTTP 503")
    assert 6000 < line.next_try.timestamp() - time.time() < 9000
    await deliveries.replay(client, None, job.id)
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.taken) == 1


async def test_the_end_of_a_forgotten_job_is_sent_from_the_index(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)
    (end,) = [got for got in receiver.taken if got.type == "job.completed"]
    record = pretend.index.read(job.id)
    assert record is not None
    summary = record.summary.model_copy(update={"job_id": "old"})
    result = record.result.model_copy(update={"job_id": "old"}) if record.result else None
    pretend.index.write(record.model_copy(update={"summary": summary, "result": result}))

    (line,) = await log(client, pretend.index, "old")
    assert (line.id, line.state) == (end.id, "unknown")
    receiver.taken.clear()
    assert await deliveries.replay(client, pretend.index, "old") == (end.id,)
    await until(lambda: receiver.taken)
    assert receiver.taken[0].body.replace(b"old", job.id.encode()) == end.body
