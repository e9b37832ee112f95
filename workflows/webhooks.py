"""The workflow `Webhooks`: bring a job's events to their receivers, however long that takes.

No job. One for each job that has webhooks, also when that job runs again: so all its events to one
receiver stand in one line, and no late failure comes behind a success.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.steps.webhooks import (
        DELIVER,
        WEBHOOKS_QUEUE,
        WEBHOOKS_WORKFLOW,
        Deliver,
        Delivered,
        Deliveries,
        Message,
        Messages,
        delivery_id,
    )
    from longtake.contracts.webhooks import Delivery
    from longtake.events import is_end
    from longtake.paths import shown

from workflows.control import HEARTBEAT, LONGEST

FOR_AT_MOST = timedelta(days=5)
"""Then an event is given up."""
ONE_TRY = timedelta(minutes=1)
"""Far more than a receiver gets: that a try hangs all the same must not hold up the next."""
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""Of tries whose worker died. After all others the step itself says when the next one is due."""
HOLD = timedelta(minutes=10)
"""So long an event waits for one before it that a receiver does not take."""


class _Sending:
    """One event on its way to one receiver."""

    def __init__(self, message: Message, receiver: int) -> None:
        self.message = message
        self.receiver = receiver
        self.target = message.targets[receiver]
        self.handle: workflow.ActivityHandle[Delivered] | None = None
        self.log = Delivery(
            id=message.id,
            type=message.type,
            sequence=message.sequence,
            receiver=receiver,
            url=shown(self.target.url),
            state="waiting",
        )

    def note(self, **facts: Any) -> None:
        """Change the line of the log."""
        self.log = self.log.model_copy(update=facts)

    @property
    def key(self) -> str:
        """Which event it is, to which receiver."""
        return delivery_id(self.message.id, self.receiver)

    @property
    def over(self) -> bool:
        """Was it taken, or given up?"""
        return self.log.state in ("delivered", "undelivered")


@workflow.defn(name=WEBHOOKS_WORKFLOW)
class WebhooksWorkflow:
    """Events in, requests out. Fails at its end if an event was not taken, so that one can
    search for it."""

    @workflow.init
    def __init__(self, first: Messages) -> None:
        self._job_id, self._tenant = first.job_id, first.tenant
        self._goes_on = False
        self._sendings: list[_Sending] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._take(first)  # here, for signals that came meanwhile run before `run` does

    @workflow.run
    async def run(self, first: Messages) -> None:
        """Deliver `first`, and what signals bring, until the job and all deliveries are over."""
        try:
            await workflow.wait_condition(self._is_done, timeout=LONGEST)
        except TimeoutError:  # the job was terminated, or sleeps
            await workflow.wait_condition(lambda: _over(self._sendings))
        lost = [each.log for each in self._sendings if each.log.state == "undelivered"]
        if lost:
            words = f"{len(lost)} of {len(self._sendings)} events were not taken; the last: "
            raise ApplicationError(f"{words}{lost[-1].type}, {lost[-1].answer}", type="Undelivered")

    @workflow.signal
    async def deliver(self, more: Messages) -> None:
        """Deliver further events."""
        self._take(more)

    @workflow.signal
    async def replay(self, again: Messages) -> None:
        """Send events again; those that wait for their next try, at once."""
        for message in again.messages:
            for receiver in range(len(message.targets)):
                self._send_again(_Sending(message, receiver))

    @workflow.query
    def deliveries(self) -> Deliveries:
        """The delivery log."""
        return Deliveries(deliveries=tuple(each.log for each in self._sendings))

    @workflow.query
    def messages(self) -> Messages:
        """The events themselves."""
        known = {each.message.id: each.message for each in self._sendings}
        return Messages(job_id=self._job_id, tenant=self._tenant, messages=tuple(known.values()))

    def _is_done(self) -> bool:
        return bool(self._sendings) and not self._goes_on and _over(self._sendings)

    def _take(self, more: Messages) -> None:
        for message in more.messages:
            self._goes_on = not is_end(message.type)
            for receiver in range(len(message.targets)):
                self._send(_Sending(message, receiver))

    def _send_again(self, sending: _Sending) -> None:
        for each in [each for each in self._sendings if each.key == sending.key]:
            if not each.over:
                if each.handle is not None:
                    each.handle.cancel()
                return
            self._sendings.remove(each)
        self._send(sending)

    def _send(self, sending: _Sending) -> None:
        earlier = [each for each in self._sendings if each.target.url == sending.target.url]
        self._sendings.append(sending)
        self._tasks.append(asyncio.ensure_future(self._in_turn(sending, earlier)))

    async def _in_turn(self, sending: _Sending, earlier: Sequence[_Sending]) -> None:
        """The end of a job is never overtaken; whatever else a receiver does not take holds up
        what comes behind it for a while only."""
        earlier = [each for each in earlier if not each.over]
        if earlier:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(lambda: _over(earlier), timeout=HOLD)
        ends = [each for each in earlier if is_end(each.message.type)]
        await workflow.wait_condition(lambda: _over(ends))
        await self._until_taken(sending)

    async def _until_taken(self, sending: _Sending) -> None:
        sending.note(state="trying")
        while not sending.over:
            sending.handle = self._start(sending)
            try:
                done = await sending.handle
            except ActivityError as error:
                if is_cancelled_exception(error):
                    continue  # asked to try at once
                sending.note(state="undelivered", at=workflow.now(), **_last_try(error))
            else:
                words, now = f"HTTP {done.status}", workflow.now()
                sending.note(state="delivered", tries=done.tries, answer=words, at=now)

    def _start(self, sending: _Sending) -> workflow.ActivityHandle[Delivered]:
        message, target = sending.message, sending.target
        request = Deliver(id=message.id, type=message.type, body=message.body, webhook=target)
        return workflow.start_activity(
            DELIVER.name,
            request,
            result_type=Delivered,
            task_queue=WEBHOOKS_QUEUE,
            activity_id=sending.key,
            schedule_to_close_timeout=FOR_AT_MOST,
            start_to_close_timeout=ONE_TRY,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(fairness_key=self._tenant),
            summary=f"{message.type} to {shown(target.url)}",
        )


def _over(sendings: Sequence[_Sending]) -> bool:
    return all(each.over for each in sendings)


def _last_try(error: ActivityError) -> dict[str, Any]:
    cause: BaseException | None = error.cause
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__  # behind a time-out stands what the last try said
    if cause is None:
        return {"answer": str(error.cause or error)}
    return {"answer": cause.message, "tries": next(iter(cause.details), 0)}
