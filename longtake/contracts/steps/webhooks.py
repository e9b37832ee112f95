"""The step of webhooks, and what the workflow that delivers is told."""

from __future__ import annotations

from longtake.contracts.base import Contract
from longtake.contracts.steps.common import Step
from longtake.contracts.webhooks import Delivery, EventType, Webhook

WEBHOOKS_WORKFLOW = "Webhooks"
"""Type of the workflow that delivers a job's events. It is no job."""

WEBHOOKS_QUEUE = "longtake-webhooks"
"""A queue of its own: receivers that do not answer take no slot from jobs. Workers of the role
`io` poll it."""


def delivery_workflow_id(job_id: str) -> str:
    """Id of the workflow that delivers a job's events. No job's id has a slash in it."""
    return f"webhooks/{job_id}"


def delivery_id(message_id: str, receiver: int) -> str:
    """Id of the activity that brings an event to one receiver."""
    return f"{message_id}.{receiver}"


class Message(Contract):
    """An event as it is sent, and to whom."""

    id: str
    type: EventType
    sequence: int
    body: str
    targets: tuple[Webhook, ...]


class Messages(Contract):
    """Events of a job, in the order in which they happened."""

    job_id: str
    tenant: str = "default"
    messages: tuple[Message, ...]


class Deliveries(Contract):
    """The delivery log of one workflow."""

    deliveries: tuple[Delivery, ...]


class Deliver(Contract):
    """One event to one receiver."""

    id: str
    type: EventType
    body: str
    webhook: Webhook


class Delivered(Contract):
    """It was taken."""

    status: int
    tries: int


DELIVER = Step("deliver_webhook", "io", Deliver, Delivered)
