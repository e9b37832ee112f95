"""The events of a job, as they are told to webhooks. Pure: workflows use it, and the client that
sends the end of a job again from the job index.
"""

from __future__ import annotations

from longtake.contracts.result import JobResult, JobSummary, Progress
from longtake.contracts.steps.webhooks import Message
from longtake.contracts.webhooks import ENDS, EventData, EventMark, EventType, JobEvent, Webhook

MOST_BYTES = 200_000
"""Receivers take no endless bodies, and Temporal takes 2 MB in all."""


def event(
    kind: EventType,
    mark: EventMark,
    notify: tuple[Webhook, ...],
    about: JobSummary,
    progress: Progress,
) -> Message | None:
    """An event of a job that runs; None if nobody wants it."""
    return _message(kind, mark, notify, _data(mark, about, progress))


def end_event(
    mark: EventMark, notify: tuple[Webhook, ...], about: JobSummary, result: JobResult
) -> Message | None:
    """The end of a job; None if nobody wants it. A result that is too long comes without its
    lists."""
    kind = ENDS[result.state]
    data = _data(mark, about, at_the_end(result))
    whole = _message(kind, mark, notify, data.model_copy(update={"result": result}))
    if whole is None or len(whole.body.encode()) <= MOST_BYTES:
        return whole
    return _message(kind, mark, notify, data.model_copy(update={"result": _shortened(result)}))


def at_the_end(result: JobResult) -> Progress:
    """How far a job is that is over."""
    if result.state != "succeeded":
        return Progress(job_id=result.job_id, state=result.state)
    stats = result.stats
    return Progress(
        job_id=result.job_id,
        state=result.state,
        fraction=1.0,
        chunks_done=stats.chunks,
        chunks_total=stats.chunks,
        counts=stats.counts,
    )


def is_end(kind: EventType) -> bool:
    """Does this event end a run of a job?"""
    return kind in ENDS.values()


def _data(mark: EventMark, about: JobSummary, progress: Progress) -> EventData:
    return EventData(
        job_id=about.job_id,
        kind=about.kind,
        state=progress.state,
        tenant=about.tenant,
        labels=about.labels,
        sequence=mark.sequence,
        progress=progress,
    )


def _message(
    kind: EventType, mark: EventMark, notify: tuple[Webhook, ...], data: EventData
) -> Message | None:
    targets = tuple(target for target in notify if kind in target.events)
    if not targets:
        return None
    body = JobEvent(type=kind, timestamp=mark.timestamp, data=data).model_dump_json()
    return Message(id=mark.id, type=kind, sequence=mark.sequence, body=body, targets=targets)


def _shortened(result: JobResult) -> JobResult:
    left_out = (
        f"{len(result.outputs)} outputs are not listed here, for this event would be too long; "
        f"`longtake status {result.job_id} --json` has them"
    )
    return JobResult(
        job_id=result.job_id,
        state=result.state,
        stats=result.stats,
        error=result.error,
        warnings=(*result.warnings[:20], left_out),
    )
