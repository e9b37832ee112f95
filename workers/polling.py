"""A Temporal worker for one role, with the options that were measured to matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, Worker

from longtake.contracts.steps.webhooks import WEBHOOKS_QUEUE
from longtake.errors import LongtakeError
from longtake.queues import COMPUTING, Role, task_queue
from longtake.settings import drain_grace_s
from workers import registry
from workers.interceptor import JobLog
from workers.settings import WorkerSettings
from workers.unfit_input import UnfitInput

CONTROL_SLOTS = 8
WEBHOOK_SLOTS = 32
"""Requests under way at once: they do nothing but wait."""
_IN_ORDER: dict[str, Any] = {"max_concurrent_activity_task_polls": 1}
"""Of long steps: who asks for several at once gets them in no order, and of the first job's two
chunks the second came behind another job's first."""
CACHED_WORKFLOWS = 200
"""Jobs in memory at once; others are replayed when something happens to them."""


def workers_for(
    client: Client, settings: WorkerSettings, role: Role, interceptors: Sequence[Interceptor] = ()
) -> list[Worker]:
    """The workers that poll the queues of `role`."""
    shared = _options(interceptors)
    worker = Worker(
        client,
        task_queue=task_queue(role, settings.group),
        activities=registry.activities(role, settings),
        max_concurrent_activities=_slots(settings, role),
        **shared,
        **(_control_options() if role == "control" else {}),
        **(_IN_ORDER if role in COMPUTING else {}),
    )
    if role != "io" or settings.group is not None:
        return [worker]
    webhooks = Worker(
        client,
        task_queue=WEBHOOKS_QUEUE,
        activities=registry.deliveries(),
        max_concurrent_activities=WEBHOOK_SLOTS,
        **shared,
    )
    return [worker, webhooks]


def _options(interceptors: Sequence[Interceptor]) -> dict[str, Any]:
    return {
        "interceptors": [JobLog(), UnfitInput(), *interceptors],
        "graceful_shutdown_timeout": timedelta(seconds=drain_grace_s()),
        # A cancel arrives with the answer to a heartbeat; by default that takes 10 s and more.
        "max_heartbeat_throttle_interval": timedelta(seconds=2),
        # Eager activities would slip past the priorities and rate limits of a queue.
        "disable_eager_activity_execution": True,
    }


def _slots(settings: WorkerSettings, role: Role) -> int:
    if role == "control":
        return CONTROL_SLOTS
    return settings.io_slots if role == "io" else settings.slots


def _control_options() -> dict[str, Any]:
    return {
        "workflows": registry.workflows(),
        # The sandbox imports them anew for each job. Tests replay in it: decision 45.
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "max_cached_workflows": CACHED_WORKFLOWS,
        # So long a task or query waits for a killed control worker before another takes it.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=2),
        # A bad input must fail its workflow; by default its task is tried again for ever.
        "workflow_failure_exception_types": [ValidationError, LongtakeError],
    }
