"""A job that tells webhooks: its steps pretend, the events and their delivery are real."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError

from longtake import deliveries
from longtake.contracts.preview import Preview
from longtake.contracts.steps.common import (
    CONCLUDE,
    PUBLISH,
    EncodeDone,
    JobRecord,
    Nothing,
    Piece,
    Published,
    PublishRequest,
)
from longtake.contracts.steps.preview import MAKE_PART, PLAN_PREVIEW, PartRequest, PreviewSummary
from longtake.contracts.steps.webhooks import delivery_workflow_id
from longtake.contracts.webhooks import Delivery
from longtake.index import JobIndex
from longtake.queues import CONTROL_QUEUE
from tests.patience import WAIT_S
from tests.receiver import Receiver
from tests.workflows.pretend import encoded, no_source, not_published, wait_while

ALL = ["job.started", *["job.stage"] * 3, "job.completed"]
PARTS = 4


class Pretend:
    """A preview that ends as it is told."""

    def __init__(self, index: JobIndex) -> None:
        self.index = index
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False
        self.outputs = 1

    @activity.defn(name=PLAN_PREVIEW.name)
    async def plan(self, job: Preview) -> PreviewSummary:
        piece = Piece(key="", uris=("/out/poster.jpg",), role="poster")
        return PreviewSummary(
            source=no_source(job.input),
            plan_key="plan",
            index_key=None,
            parts=(piece,) * PARTS,
            captions=None,
            media_s=1.0,
            engine="1",
        )

    @activity.defn(name=MAKE_PART.name)
    async def make(self, request: PartRequest) -> EncodeDone:
        await wait_while(lambda: not self.open.is_set())
        if self.fails:
            raise ApplicationError("not a film", type="InputCorrupt", non_retryable=True)
        return encoded(f"{request.number}")

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        return not_published("/out/poster.jpg", "poster", outputs=self.outputs)

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        self.index.write(record)
        return Nothing()


async def begin(
    client: Client, receiver: Receiver, job_id: str = "", **webhook: Any
) -> WorkflowHandle[Any, Any]:
    job = {
        "input": "/in.mov",
        "output": "/out",
        "tenant": "acme",
        "labels": {"episode": "7"},
        "stage_labels": {"encoding": "DRAWING"},
        "notify": [{"url": receiver.url, **webhook}],
    }
    return await client.start_workflow(
        "Preview", job, id=job_id or f"job-{uuid.uuid4()}", task_queue=CONTROL_QUEUE
    )


async def ended(client: Client, job: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
    """How the deliveries of a job ended."""
    handle = client.get_workflow_handle(delivery_workflow_id(job.id))
    try:
        await asyncio.wait_for(handle.result(), WAIT_S)
    except Exception:
        pass
    return (await handle.describe()).status


async def history(client: Client, workflow_id: str) -> str:
    return (await client.get_workflow_handle(workflow_id).fetch_history()).to_json()


async def log(client: Client, index: JobIndex | None, job_id: str) -> list[Delivery]:
    return list(await deliveries.deliveries(client, index, job_id))
