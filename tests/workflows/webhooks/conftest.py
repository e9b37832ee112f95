"""A worker for jobs that tell, and for their deliveries; and a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities import webhooks as step
from longtake.contracts.steps.webhooks import WEBHOOKS_QUEUE
from longtake.index import JobIndex
from storage import post as posting
from tests.receiver import SECRET, Receiver, receiving
from tests.workflows.pretend import Steps, working
from tests.workflows.webhooks.telling import Pretend
from workflows.preview import PreviewWorkflow
from workflows.webhooks import WebhooksWorkflow


@pytest.fixture
def index(tmp_path: Path) -> JobIndex:
    return JobIndex(tmp_path / "jobs")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that workers may reach, whose secret they know, and who is tried again soon."""
    with receiving() as receiver:
        monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", receiver.host)
        monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRET_DEFAULT", SECRET)
        monkeypatch.setattr(step, "FIRST_PAUSE_S", 0.2)
        monkeypatch.setattr(step, "LONGEST_PAUSE_S", 0.4)
        monkeypatch.setattr(posting, "ANSWER_WITHIN_S", 1.0)
        yield receiver


@pytest.fixture
async def pretend(client: Client, index: JobIndex) -> AsyncIterator[Pretend]:
    steps = Pretend(index)
    work: Steps = [steps.plan, steps.make, steps.publish, steps.conclude]
    queues: dict[str, Steps] = {
        "longtake-io": work,
        "longtake-cpu": work,
        WEBHOOKS_QUEUE: [step.deliver],
    }
    async with working(client, [PreviewWorkflow, WebhooksWorkflow], queues):
        yield steps
        steps.open.set()
