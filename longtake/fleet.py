"""Which workers are alive on a task queue, judged by the age of their heartbeats.

A queue's pollers do not tell: a killed worker stays listed among them for over a minute.
Longtake's workers beat every five seconds, so what is older than three beats is dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pydantic import BaseModel
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client

LIVE = timedelta(seconds=15)
DESCRIBE = "describe_worker"
"""Activity that a worker of every queue has; see WorkerFacts."""


@dataclass(frozen=True)
class LiveWorker:
    """A worker that polls a task queue now."""

    identity: str
    host: str
    pid: int
    queue: str
    heartbeat_age_s: float


class WorkerFacts(BaseModel):
    """What a worker says about itself."""

    host: str
    pid: int
    queue: str
    roles: list[str]
    slots: int
    cores: int
    memory_bytes: int | None
    """The limit on this process; None if there is none."""
    versions: dict[str, str]
    encoders: list[str]


async def ask_worker(client: Client, queue: str, timeout_s: float = 10.0) -> WorkerFacts:
    """Let any worker on `queue` describe itself: proof that the queue works from end to end.

    Runs as an activity of its own, without a workflow. Raises ActivityFailedError if none
    answers in time, and RPCError on a server that does not know such activities.
    """
    limit = timedelta(seconds=timeout_s)
    facts: WorkerFacts = await client.execute_activity(
        DESCRIBE,
        id=f"{DESCRIBE}-{uuid4()}",
        task_queue=queue,
        result_type=WorkerFacts,
        schedule_to_close_timeout=limit,
    )
    return facts


async def live_workers(client: Client, queue: str) -> list[LiveWorker]:
    """Workers alive on `queue`. One that is shutting down no longer counts.

    A worker of several roles appears with its second beat, five seconds after its start (one of
    a single role at once), and all of them do so again after a restart of the server.

    Raises temporalio.service.RPCError if the server is too old to list workers.
    """
    request = ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue='{queue}'")
    response = await client.workflow_service.list_workers(request)
    now = datetime.now(UTC)
    beats = [info.worker_heartbeat for info in response.workers_info]
    running = [beat for beat in beats if beat.status == WorkerStatus.WORKER_STATUS_RUNNING]
    workers = [_live(beat, now) for beat in running]
    return [worker for worker in workers if worker.heartbeat_age_s < LIVE.total_seconds()]


def _live(beat: WorkerHeartbeat, now: datetime) -> LiveWorker:
    age = now - beat.heartbeat_time.ToDatetime(tzinfo=UTC)
    return LiveWorker(
        identity=beat.worker_identity,
        host=beat.host_info.host_name,
        pid=int(beat.host_info.process_id or 0),
        queue=beat.task_queue,
        heartbeat_age_s=age.total_seconds(),
    )
