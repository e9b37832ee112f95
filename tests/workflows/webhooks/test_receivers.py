"""Receivers that behave badly: the job is untouched, and each event comes in the end."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longtake import Longtake
from longtake.contracts import JobResult
from longtake.contracts.steps.webhooks import (
    Message,
    Messages,
)
from longtake.contracts.webhooks import Webhook
from longtake.fleet import ask_worker
from longtake.queues import CONTROL_QUEUE, task_queue
from storage import post as posting
from tests.patience import WAIT_S, until
from tests.receiver import Receiver, drip, drop, flood, hang, receiving, status
from tests.workflows.webhooks.telling import ALL, Pretend, begin, ended, history, log
from workers.polling import workers_for
from workers.settings import WorkerSettings
from workflows import webhooks as delivering
from workflows.webhooks import WebhooksWorkflow


@pytest.mark.parametrize("form", ["fails", "hangs", "drips", "redirects", "loses", "leaves"])
async def test_a_receiver_that_behaves_badly_gets_all_events_and_the_job_is_untouched(
    client: Client, pretend: Pretend, receiver: Receiver, form: str
) -> None:
    with receiving() as elsewhere:
        receiver.then = {
            "fails": status(500),
            "hangs": hang,
            "drips": drip,
            "redirects": status(307, Location=elsewhere.url),
            "loses": drop,
            "leaves": status(404),
        }[form]
        begun = time.monotonic()
        job = await begin(client, receiver)
        result = JobResult.model_validate(await job.result())
        took = time.monotonic() - begun
        assert result.state == "succeeded"
        assert result.stats.retries == 0
        assert receiver.taken == []
        await until(lambda: len(receiver.got) >= 3)
        assert {got.type for got in receiver.got} == {"job.started"}, "the next waits for its turn"
        assert len({got.id for got in receiver.got}) == 1
        assert took < 20, "the job waited for the receiver"
        receiver.then = None
        receiver.let_go.set()
        assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
        assert [type_ for type_ in receiver.types() if type_ != "job.progress"] == ALL
        assert elsewhere.got == [], "a redirect was followed"
    assert "CHILD_WORKFLOW_EXECUTION_FAILED" not in await history(client, job.id)


async def test_nobody_is_told_that_a_job_waits_for_its_receiver(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.then = status(500)
    pretend.open.clear()
    job = await begin(client, receiver)
    await job.signal("pause")
    await until(lambda: len(receiver.got) >= 2)
    told = (await Longtake(client).get(job.id)).progress
    assert (told.state, told.waiting_for) == ("paused", None)
    pretend.open.set()
    await job.signal("resume")
    await job.result()
    assert [each.waiting_for async for each in Longtake(client).progress(job.id)] == [None]


async def test_an_answer_without_end_is_not_read(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.then = flood
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert len(receiver.got) == 1


async def test_a_receiver_that_asks_for_time_gets_it(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.answers = [status(429, Retry_After="3")]
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    await ended(client, job)
    first, second = receiver.got
    assert first.id == second.id
    assert first.body == second.body
    assert second.at - first.at >= 3
    (line,) = await log(client, None, job.id)
    assert (line.state, line.tries, line.answer) == ("delivered", 2, "HTTP 204")


async def test_an_event_that_a_receiver_does_not_like_holds_the_end_up_for_a_while_only(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "HOLD", timedelta(seconds=1))
    dislikes = status(422)

    def picky(request: Any) -> None:
        got = receiver.got[-1]
        if got.type == "job.stage":
            dislikes(request)
        else:
            receiver.taken.append(got)
            status(204)(request)

    receiver.then = picky
    job = await begin(client, receiver, events=["job.started", "job.stage", "job.completed"])
    await job.result()
    await until(lambda: receiver.types() == ["job.started", "job.completed"])
    states = {(each.type, each.state) for each in await log(client, None, job.id)}
    assert states == {
        ("job.started", "delivered"),
        ("job.stage", "trying"),
        ("job.completed", "delivered"),
    }


async def test_receivers_that_hang_take_no_slot_from_jobs(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "ANSWER_WITHIN_S", WAIT_S)
    receiver.then = hang
    messages = tuple(
        Message(id=f"msg_{n}", type="job.started", sequence=n, body="{}", targets=(hook,))
        for n, hook in enumerate(Webhook(url=f"{receiver.url}&{n}") for n in range(9))
    )
    settings = WorkerSettings(("io",), slots=1, io_slots=1)
    async with contextlib.AsyncExitStack() as stack:
        for worker in (
            Worker(
                client,
                task_queue=CONTROL_QUEUE,
                workflows=[WebhooksWorkflow],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            *workers_for(client, settings, "io"),
        ):
            await stack.enter_async_context(worker)
        told = Messages(job_id="job", messages=messages)
        await client.start_workflow("Webhooks", told, id="held", task_queue=CONTROL_QUEUE)
        await until(lambda: receiver.holding == len(messages))
        answer = await ask_worker(client, task_queue("io"), timeout_s=60)
        assert answer.slots == 1
        assert receiver.holding == len(messages)
        receiver.let_go.set()
