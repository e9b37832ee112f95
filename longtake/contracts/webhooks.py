"""Webhooks: what a job tells whom while it runs, and what came of the telling."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

from longtake.contracts.base import Contract, Report, spelt
from longtake.contracts.result import JobResult, Progress, State

EventType = Literal[
    "job.started", "job.stage", "job.progress", "job.completed", "job.failed", "job.canceled"
]
EVENTS: tuple[EventType, ...] = get_args(EventType)
ENDS: dict[State, EventType] = {
    "succeeded": "job.completed",
    "failed": "job.failed",
    "canceled": "job.canceled",
}
"""The event that ends a job, by the state it ended in. There is one for each run of a job."""

_SECRET = "[a-z0-9][a-z0-9_-]{0,63}"
SecretName = Annotated[
    str,
    spelt(_SECRET, "use small letters, digits, _ and -, up to 64, a letter or digit first"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SECRET}$"}),
]


def _link(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.hostname and parts.scheme in ("https", "http") and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "user and password in a link would stand in logs and histories; the signature "
            "tells who sends"
        )
    return value


class Webhook(Contract):
    """Whom to tell of a job, and of what."""

    url: Annotated[str, Field(max_length=2048), AfterValidator(_link)] = Field(
        description="Where events are sent by POST: https, to a public address. What else may be "
        "reached, the workers' LONGTAKE_WEBHOOK_ALLOW says."
    )
    secret: SecretName = Field(
        default="default",
        description="Name of the secret that signs, as the workers know it. The secret itself "
        "never stands in a job.",
    )
    events: tuple[EventType, ...] = Field(
        default=EVENTS, min_length=1, description="Which events are sent; all, if left out."
    )
    form: Literal["standard", "plain"] = Field(
        default="standard",
        description="standard: the headers of Standard Webhooks. plain: X-Signature, the "
        "HMAC-SHA256 of the raw body in hex.",
    )


class EventData(Report):
    """The job at the moment of an event."""

    job_id: str
    kind: str
    state: State
    tenant: str
    labels: dict[str, str]
    sequence: int
    """Rises from event to event of a job, also when it is run again: a larger one is later."""
    progress: Progress
    result: JobResult | None = None
    """What came of the job: in `job.completed`, `job.failed` and `job.canceled`."""


class JobEvent(Report):
    """The body of a webhook."""

    type: EventType
    timestamp: datetime
    """When it happened; `webhook-timestamp` is when it was sent."""
    data: EventData


class EventMark(Report):
    """What tells the end of a job from all other events: with it, the job index can send the
    event again, word for word."""

    id: str
    sequence: int
    timestamp: datetime


class Delivery(Report):
    """A line of the delivery log: one event, one receiver."""

    id: str
    """The event's `webhook-id`: it stays the same, however often it is sent."""
    type: EventType
    sequence: int
    receiver: int
    """Which of the event's receivers it is, from 0."""
    url: str
    """Without its query, where tokens stand."""
    state: Literal["waiting", "trying", "delivered", "undelivered", "unknown"]
    """waiting: for its turn. undelivered: given up; `longtake webhooks replay` sends it again.
    unknown: Temporal has forgotten what became of it."""
    tries: int = 0
    answer: str | None = None
    """The last answer, or why there was none."""
    at: datetime | None = None
    """When it was delivered or given up."""
    next_try: datetime | None = None
