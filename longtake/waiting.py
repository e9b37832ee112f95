"""What a job waits for, in plain words, when nothing moves."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from longtake.contracts.result import Progress
from longtake.fleet import live_workers
from longtake.queues import CONTROL_QUEUE, ROLES, task_queue
from longtake.runs import Run, Step, find_run

SETTLING = timedelta(seconds=6)
"""A worker that has just started is not known before its first heartbeat."""


SAID_WITHIN = timedelta(seconds=2.5)
MOST_CHILDREN = 20
"""So many of the jobs that a job runs are looked at. Where a worker is missing, soon all of them
wait for it."""


async def waiting_for(client: Client, run: Run, *, answered: bool, embedded: bool) -> str | None:
    """A worker that nobody runs, another try of a step that failed, or what a pipeline that the
    job runs says that it waits for; None if work goes on.

    Of a job that runs others it is what they wait for, while all of them stand still.
    `answered`: a control worker answered lately, so there is one. `embedded`: the embedded
    service keeps its workers alive.
    """
    still = await _standing_still(client, run)
    idle: dict[str, Run] = {}
    for each in still:
        for queue in sorted(_idle(each, answered=answered)):
            idle.setdefault(queue, each)
    for queue, waits in idle.items():
        if not await _is_served(client, queue):
            return _of(waits, run, _wanted(queue, embedded=embedded))
    tries = ((each, step) for each in still for step in each.steps if step.last_failure)
    for each, step in tries:
        return _of(each, run, _another_try(step))
    pipelines = (each for each in still if each is not run and each.kind == "pipeline")
    for each in pipelines if answered else ():
        if words := await _said(client, each):
            return words
    return None


async def _standing_still(client: Client, run: Run) -> list[Run]:
    """The job, and those that it and they run; none if one of them has a step at work."""
    found, ahead = [run], deque(run.children)
    while not any(step.started for step in found[-1].steps):
        if not ahead or len(found) > MOST_CHILDREN:
            return [each for each in found if each.is_open]
        child = await find_run(client, ahead.popleft())
        if child is not None:  # else it has not begun
            found.append(child)
            ahead.extend(child.children)
    return []


async def _said(client: Client, run: Run) -> str | None:
    """What a job itself waits for, such as a person; it alone knows."""
    try:
        told = await client.get_workflow_handle(run.job_id).query(
            "progress", rpc_timeout=SAID_WITHIN
        )
        return Progress.model_validate(told).waiting_for
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ValidationError):
        return None


def _of(waits: Run, asked: Run, words: str) -> str:
    """The words, with the job that waits if it is not the one that was asked about."""
    return words if waits is asked else f"{words} (for {waits.job_id})"


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
