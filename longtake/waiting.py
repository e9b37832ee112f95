"""What a job waits for, in plain words, when nothing moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from longtake.fleet import live_workers
from longtake.queues import CONTROL_QUEUE, ROLES, task_queue
from longtake.runs import Run, Step

SETTLING = timedelta(seconds=6)
"""A worker that has just started is not known before its first heartbeat."""


async def waiting_for(client: Client, run: Run, *, answered: bool, embedded: bool) -> str | None:
    """A worker that nobody runs, or another try of a step that failed; None if work goes on.

    `answered`: a control worker answered lately, so there is one. `embedded`: the embedded
    service keeps its workers alive.
    """
    if not run.is_open or any(step.started for step in run.steps):
        return None
    for queue in sorted(_idle(run, answered=answered)):
        if not await _is_served(client, queue):
            return _wanted(queue, embedded=embedded)
    return next((_another_try(step) for step in run.steps if step.last_failure), None)


def _idle(run: Run, *, answered: bool) -> set[str]:
    """Queues on which something lies that a live worker would have taken by now."""
    settled = datetime.now(UTC) - SETTLING
    if run.steps:
        return {step.queue for step in run.steps if step.queue and step.since < settled}
    waits = not answered and run.started_at is not None and run.started_at < settled
    return {CONTROL_QUEUE} if waits else set()


async def _is_served(client: Client, queue: str) -> bool:
    try:
        return bool(await live_workers(client, queue))
    except RPCError:
        return True  # an older service does not list workers: then there is nothing to say


def _wanted(queue: str, *, embedded: bool) -> str:
    for role in ROLES:
        if queue == task_queue(role):
            if embedded and role != "gpu":  # which it has none of
                return f"the service's {role} worker, which it starts anew when one has died"
            return f"a {role} worker: start one with `longtake worker --role {role}`"
    for role in ROLES[1:]:
        prefix = task_queue(role) + "-"
        if queue.startswith(prefix):
            group = queue.removeprefix(prefix)
            command = f"longtake worker --role {role} --group {group}"
            return f"a {role} worker of group {group}: start one with `{command}`"
    return f"a worker on task queue {queue}"


def _another_try(step: Step) -> str:
    return f"another try of {step.name} (attempt {step.attempt}), after: {step.last_failure}"
