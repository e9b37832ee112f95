"""Receivers that are away for days, on a Temporal server that skips time."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities import webhooks as step
from longtake.contracts.steps.webhooks import (
    WEBHOOKS_QUEUE,
    WEBHOOKS_WORKFLOW,
    Deliveries,
    Message,
    Messages,
)
from longtake.contracts.webhooks import Webhook
from longtake.queues import CONTROL_QUEUE
from tests.receiver import SECRET, Receiver, receiving, status
from tests.workflows.pretend import working
from workflows.webhooks import FOR_AT_MOST, WebhooksWorkflow


@pytest.fixture
async def skipping(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEnvironment]:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRET_DEFAULT", SECRET)
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
            data_converter=pydantic_data_converter,
        ) as environment,
        working(environment.client, [WebhooksWorkflow], {WEBHOOKS_QUEUE: [step.deliver]}),
    ):
        yield environment


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", receiver.host)
        yield receiver


def told(receiver: Receiver) -> Messages:
    message = Message(
        id=f"msg_{uuid.uuid4().hex}",
        type="job.completed",
        sequence=1,
        body='{"type": "job.completed"}',
        targets=(Webhook(url=receiver.url),),
    )
    return Messages(job_id="job", messages=(message,))


async def test_a_receiver_that_is_away_for_two_days_gets_its_event_then(
    skipping: WorkflowEnvironment, receiver: Receiver
) -> None:
    receiver.answers = [status(503)] * 24
    handle = await skipping.client.start_workflow(
        WEBHOOKS_WORKFLOW, told(receiver), id="deliveries", task_queue=CONTROL_QUEUE
    )
    await handle.result()
    ended = await handle.describe()
    assert ended.close_time
    took = ended.close_time - ended.start_time
    # 2 s, 4 s, … 2 h 17 min, and then 4 h for ten times; each a fifth more or less.
    assert timedelta(hours=34) < took < timedelta(hours=54)
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.got) == 25


async def test_an_event_that_is_never_taken_is_given_up_after_five_days(
    skipping: WorkflowEnvironment, receiver: Receiver
) -> None:
    receiver.then = status(503)
    handle = await skipping.client.start_workflow(
        WEBHOOKS_WORKFLOW, told(receiver), id="deliveries", task_queue=CONTROL_QUEUE
    )
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    ended = await handle.describe()
    assert ended.status is WorkflowExecutionStatus.FAILED
    assert ended.close_time
    took = ended.close_time - ended.start_time
    assert FOR_AT_MOST - timedelta(hours=5) < took <= FOR_AT_MOST + timedelta(minutes=1)
    (line,) = Deliveries.model_validate(await handle.query("deliveries")).deliveries
    assert (line.state, line.answer) == ("undelivered", "HTTP 503")
    assert len(receiver.got) > 30
