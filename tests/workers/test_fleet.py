"""Who counts as alive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo, WorkerInfo
from temporalio.api.workflowservice.v1 import ListWorkersRequest, ListWorkersResponse
from temporalio.client import Client

from longtake.fleet import live_workers

RUNNING = WorkerStatus.WORKER_STATUS_RUNNING
LEAVING = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


def _cluster(status: WorkerStatus.ValueType, age_s: float) -> Client:
    """A cluster with one worker, whose last beat came so long ago."""
    beat = Timestamp()
    beat.FromDatetime(datetime.now(UTC) - timedelta(seconds=age_s))
    host = WorkerHostInfo(host_name="a-host", process_id="42")
    heartbeat = WorkerHeartbeat(
        worker_identity="42@a-host gpu",
        task_queue="longtake-gpu",
        status=status,
        heartbeat_time=beat,
        host_info=host,
    )

    async def list_workers(request: ListWorkersRequest) -> ListWorkersResponse:
        assert request.query == "TaskQueue='longtake-gpu'"
        return ListWorkersResponse(workers_info=[WorkerInfo(worker_heartbeat=heartbeat)])

    stand_in: Any = SimpleNamespace(
        namespace="default", workflow_service=SimpleNamespace(list_workers=list_workers)
    )
    return cast(Client, stand_in)


async def test_a_worker_that_beats_is_alive() -> None:
    (worker,) = await live_workers(_cluster(RUNNING, 5.0), "longtake-gpu")
    assert (worker.host, worker.pid, worker.queue) == ("a-host", 42, "longtake-gpu")
    assert worker.heartbeat_age_s == pytest.approx(5.0, abs=1.0)


@pytest.mark.parametrize(("status", "age_s"), [(RUNNING, 16.0), (LEAVING, 1.0)])
async def test_a_killed_one_and_one_that_leaves_are_not(
    status: WorkerStatus.ValueType, age_s: float
) -> None:
    assert await live_workers(_cluster(status, age_s), "longtake-gpu") == []
