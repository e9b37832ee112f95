"""The events of a job: which ones there are, in which order, and what they cost."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
import standardwebhooks
from temporalio.client import Client, WorkflowExecutionStatus

from longtake import deliveries
from longtake.contracts import JobResult
from longtake.contracts.steps.webhooks import (
    Message,
    Messages,
    delivery_workflow_id,
)
from longtake.contracts.webhooks import JobEvent, Webhook
from longtake.errors import JobNotFound
from longtake.queues import CONTROL_QUEUE
from longtake.runs import own_jobs
from tests.patience import WAIT_S, until
from tests.receiver import SECRET, Receiver, status
from tests.workflows.webhooks.telling import ALL, PARTS, Pretend, begin, ended, history, log
from workflows import outbox
from workflows import webhooks as delivering


async def test_a_receiver_is_told_the_whole_life_of_a_job_in_order(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = await begin(client, receiver)
    result = JobResult.model_validate(await job.result())
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert [type_ for type_ in receiver.types() if type_ != "job.progress"] == ALL
    events = []
    for got in receiver.got:
        standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)
        assert got.path == "/hooks?token=in-the-query"
        assert got.headers["content-type"] == "application/json"
        events.append(JobEvent.model_validate(got.event))
    sequences = [event.data.sequence for event in events]
    assert sequences == sorted(set(sequences))
    assert len({got.id for got in receiver.got}) == len(receiver.got)
    assert all(event.data.job_id == job.id for event in events)
    assert {(e.data.kind, e.data.tenant, e.data.labels["episode"]) for e in events} == {
        ("preview", "acme", "7")
    }
    stages = [
        (event.data.progress.stage, event.data.progress.label)
        for event in events
        if event.type == "job.stage"
    ]
    assert stages == [("probing", None), ("encoding", "DRAWING"), ("publishing", None)]
    assert [event.data.state for event in events] == ["running"] * (len(events) - 1) + ["succeeded"]
    assert events[-1].data.result == result
    assert events[-1].data.progress.fraction == 1.0


async def test_progress_is_told_now_and_then(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await begin(client, receiver, events=["job.progress"])
    await job.result()
    await until(lambda: receiver.got)
    assert len(receiver.got) == 1, "four parts, done in one moment"
    monkeypatch.setattr(outbox, "PROGRESS_EVERY", timedelta())
    receiver.got.clear()
    again = await begin(client, receiver, events=["job.progress"])
    await again.result()
    await until(lambda: len(receiver.got) == PARTS)
    told = [got.event["data"]["progress"]["fraction"] for got in receiver.got]
    assert told == [0.25, 0.5, 0.75, 1.0]


async def test_a_job_without_webhooks_has_no_trace_of_them(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = {"input": "/in.mov", "output": "/out"}
    handle = await client.start_workflow("Preview", job, id="quiet", task_queue=CONTROL_QUEUE)
    await handle.result()
    assert "CHILD_WORKFLOW" not in await history(client, "quiet")
    with pytest.raises(JobNotFound, match="no webhooks"):
        await log(client, pretend.index, "quiet")


async def test_no_failure_comes_behind_a_success(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "HOLD", timedelta(seconds=0.5))
    receiver.then = status(503)
    pretend.fails = True
    job = await begin(client, receiver, "again")
    with pytest.raises(Exception, match="failed"):
        await job.result()
    pretend.fails = False
    job = await begin(client, receiver, "again")
    await job.result()
    await until(lambda: "job.failed" in {got.type for got in receiver.got})
    await asyncio.sleep(1.5)  # longer than anything but an end would hold up the next
    assert "job.completed" not in {got.type for got in receiver.got}
    receiver.then = None
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    ends = [t for t in receiver.types() if t in ("job.failed", "job.completed")]
    assert ends == ["job.failed", "job.completed"]
    failed = next(got for got in receiver.taken if got.type == "job.failed").event["data"]
    assert failed["state"] == "failed"
    assert failed["result"]["error"] == {"type": "InputCorrupt", "message": "not a film"}

    receiver.taken.clear()
    sent = await deliveries.replay(client, None, "again", everything=True)
    await until(lambda: len(receiver.taken) == len(sent))
    assert "job.failed" not in receiver.types()
    assert receiver.types()[-1] == "job.completed"


@pytest.mark.parametrize("by", ["signal", "Temporal"])
async def test_a_cancel_is_told_once(
    client: Client, pretend: Pretend, receiver: Receiver, by: str
) -> None:
    pretend.open.clear()
    job = await begin(client, receiver)
    await until(lambda: receiver.types()[-1:] == ["job.stage"] and len(receiver.taken) == 3)
    await job.signal("pause")
    await (job.signal("cancel", "enough") if by == "signal" else job.cancel(reason="enough"))
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert receiver.types() == [*ALL[:3], "job.canceled"]
    data = receiver.got[-1].event["data"]
    assert data["state"] == "canceled"
    assert data["result"]["error"] == {"type": "JobCanceled", "message": "enough"}


async def test_an_end_that_is_too_long_comes_without_its_lists(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    pretend.outputs = 1500
    job = await begin(client, receiver)
    result = JobResult.model_validate(await job.result())
    assert len(result.outputs) == 1500
    await ended(client, job)
    got = receiver.taken[-1]
    assert got.type == "job.completed"
    assert len(got.body) < 200_000
    assert "1500 outputs are not listed here" in got.event["data"]["result"]["warnings"][-1]


async def test_signals_that_come_first_stand_behind_what_came_before_them(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    hook = (Webhook(url=receiver.url),)
    one = Message(id="1", type="job.started", sequence=1, body='{"type": "a"}', targets=hook)
    two = Message(id="2", type="job.completed", sequence=2, body='{"type": "b"}', targets=hook)
    await client.start_workflow(
        "Webhooks",
        Messages(job_id="job", messages=(one,)),
        id="webhooks/job",
        task_queue=CONTROL_QUEUE,
        start_signal="deliver",
        start_signal_args=[Messages(job_id="job", messages=(two,))],
    )
    await until(lambda: len(receiver.taken) == 2)
    assert receiver.types() == ["a", "b"]


async def test_deliveries_are_no_jobs(client: Client, pretend: Pretend, receiver: Receiver) -> None:
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)

    async def listed(query: str) -> set[str]:
        return {run.id async for run in client.list_workflows(query)}

    async with asyncio.timeout(WAIT_S):
        while len(await listed("")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await listed(own_jobs()) == {job.id}
    assert await listed("") == {job.id, f"webhooks/{job.id}"}, "one line more for each job"


async def test_histories_stay_short(client: Client, pretend: Pretend, receiver: Receiver) -> None:
    """Tries cost no history: days of them are as long as one."""
    receiver.answers = [status(500)] * 6
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)
    events = len(json.loads(await history(client, delivery_workflow_id(job.id)))["events"])
    assert events < 100
