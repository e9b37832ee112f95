"""The delivery log of a job's webhooks, and sending events again.

Temporal has the log for as long as it keeps the workflows that delivered. Then the job index still
knows how the job ended, and can tell that again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from longtake.contracts.steps.common import JobRecord
from longtake.contracts.steps.webhooks import (
    WEBHOOKS_WORKFLOW,
    Deliveries,
    Message,
    Messages,
    delivery_id,
    delivery_workflow_id,
)
from longtake.contracts.webhooks import Delivery
from longtake.errors import InvalidJob, JobNotFound
from longtake.events import end_event, is_end
from longtake.index import JobIndex
from longtake.kinds import parse
from longtake.listing import quoted
from longtake.paths import shown
from longtake.queues import CONTROL_QUEUE
from longtake.refusals import service_errors
from longtake.runs import ANSWER_WITHIN, Run, find_run, list_runs

M = TypeVar("M", bound=BaseModel)


async def deliveries(client: Client, index: JobIndex | None, job_id: str) -> tuple[Delivery, ...]:
    """What became of each event of a job, in the order of the events.

    Raises JobNotFound for a job of which no events are known, and ServiceUnreachable.
    """
    found: dict[str, Delivery] = {}
    async for run in _runs(client, job_id):
        for each in (await _ask(client, run, "deliveries", Deliveries)).deliveries:
            found.setdefault(delivery_id(each.id, each.receiver), each)
    if not found:
        return tuple(_forgotten(_from_index(index, job_id)))
    for key, facts in (await _under_way(client, job_id)).items():
        if key in found and found[key].state == "trying":
            found[key] = found[key].model_copy(update=facts)
    return tuple(sorted(found.values(), key=lambda each: (each.sequence, each.receiver)))


async def replay(
    client: Client,
    index: JobIndex | None,
    job_id: str,
    ids: Sequence[str] = (),
    *,
    everything: bool = False,
) -> tuple[str, ...]:
    """Send events of a job again, under their own ids; which ones it sent.

    Those of `ids`, or `everything`, or else those that were not taken yet. A failure that a success
    came behind is never sent again. Raises InvalidJob for an id that the job has no event of, and
    else as `deliveries` does.
    """
    known = await _messages(client, index, job_id)
    if unknown := [one for one in ids if one not in known]:
        raise InvalidJob(f"job {job_id} has no event {unknown[0]!r}; `longtake webhooks list`")
    wanted = set(ids) or set(known)
    if not ids and not everything:
        log = await deliveries(client, index, job_id)
        wanted = {each.id for each in log if each.state != "delivered"}
    in_order = sorted(known.values(), key=lambda message: message.sequence)
    sent = [each for each in in_order if each.id in wanted and not _outdated(each, in_order)]
    if sent:
        await _send(client, job_id, sent)
    return tuple(each.id for each in sent)


def _outdated(message: Message, all_of_them: Sequence[Message]) -> bool:
    """Is it how an earlier run ended, though a later one succeeded?"""
    success = max((m.sequence for m in all_of_them if m.type == "job.completed"), default=0)
    return is_end(message.type) and message.sequence < success


async def _send(client: Client, job_id: str, messages: Sequence[Message]) -> None:
    """To the workflow that delivers, or to a new one."""
    nothing = Messages(job_id=job_id, messages=())
    told = nothing.model_copy(update={"messages": tuple(messages)})
    with service_errors():
        await client.start_workflow(
            WEBHOOKS_WORKFLOW,
            nothing.model_dump(mode="json"),
            id=delivery_workflow_id(job_id),
            task_queue=CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="replay",
            start_signal_args=[told.model_dump(mode="json")],
            static_summary=f"webhooks of job {job_id}",
        )


async def _messages(client: Client, index: JobIndex | None, job_id: str) -> dict[str, Message]:
    known: dict[str, Message] = {}
    async for run in _runs(client, job_id):
        for message in (await _ask(client, run, "messages", Messages)).messages:
            known.setdefault(message.id, message)
    if not known:
        message = _from_index(index, job_id)
        known = {message.id: message}
    return known


async def _runs(client: Client, job_id: str) -> AsyncIterator[Run]:
    """The workflows that delivered events of a job, the latest first. Lists are late, so that one
    is asked for by its id."""
    workflow_id = delivery_workflow_id(job_id)
    latest = await find_run(client, workflow_id)
    if latest is None:
        return
    yield latest
    async for run in list_runs(client, f"WorkflowId = {quoted(workflow_id)}"):
        if run.run_id != latest.run_id:
            yield run


async def _ask(client: Client, run: Run, query: str, answer: type[M]) -> M:
    handle = client.get_workflow_handle(run.job_id, run_id=run.run_id)
    with service_errors():
        return answer.model_validate(await handle.query(query, rpc_timeout=ANSWER_WITHIN))


async def _under_way(client: Client, job_id: str) -> dict[str, dict[str, object]]:
    """Of each activity that is tried: how often it was, what came of it, and when it goes on."""
    run = await find_run(client, delivery_workflow_id(job_id))
    steps = run.steps if run else ()
    return {
        step.id: {
            "tries": step.attempt if step.started else step.attempt - 1,
            "answer": step.last_failure or None,
            "next_try": step.due,
        }
        for step in steps
    }


def _from_index(index: JobIndex | None, job_id: str) -> Message:
    """The end of a job that Temporal has forgotten. Raises JobNotFound."""
    record = index.read(job_id) if index else None
    message = _end_of(record) if record else None
    if message is None:
        raise JobNotFound(
            f"no events of a job {job_id!r} are known: it has no webhooks, or Temporal has "
            "forgotten it"
        )
    return message


def _end_of(record: JobRecord) -> Message | None:
    if record.told is None or record.result is None:
        return None
    return end_event(record.told, parse(record.job).notify, record.summary, record.result)


def _forgotten(message: Message) -> Iterator[Delivery]:
    for receiver, target in enumerate(message.targets):
        yield Delivery(
            id=message.id,
            type=message.type,
            sequence=message.sequence,
            receiver=receiver,
            url=shown(target.url),
            state="unknown",
        )
