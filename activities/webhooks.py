"""Bring one event to one receiver. Each attempt of the step is one try; Temporal waits between."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.running import Beat, implements
from longtake.contracts.steps.webhooks import DELIVER, Deliver, Delivered
from longtake.errors import CapabilityMissing, InputNotFound, LongtakeError, UserError
from longtake.paths import shown
from longtake.settings import webhook_secrets
from longtake.webhooks import sign, sign_plain
from storage.post import Answer, post

log = structlog.get_logger("longtake.webhooks")

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 4 * 3600.0
LONGEST_OBEYED_S = 24 * 3600.0
"""A receiver that asks for more is asked again after a day."""
GONE = 410


@implements(DELIVER, stage="publishing")
async def deliver(request: Deliver, beat: Beat) -> Delivered:
    """Sign and send it once. Raises ApplicationError that says when to try again."""
    attempt = activity.info().attempt
    try:
        answer = await post(request.webhook.url, _headers(request), request.body.encode())
    except LongtakeError as error:
        final = isinstance(error, UserError) and not isinstance(error, InputNotFound)
        raise _not_taken(request, error.message, attempt, final=final) from error
    if not answer.taken:
        words = f"HTTP {answer.status}"
        final = answer.status == GONE
        raise _not_taken(request, words, attempt, final=final, answer=answer)
    return Delivered(status=answer.status, tries=attempt)


def _headers(request: Deliver) -> dict[str, str]:
    """Raises CapabilityMissing if this worker has no such secret, or one that is none."""
    secrets, body = webhook_secrets(request.webhook.secret), request.body.encode()
    moment = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": request.id,
        "webhook-timestamp": str(moment),
    }
    if request.webhook.form == "plain":
        return headers | {"X-Signature": sign_plain(secrets[0], body)}
    try:
        return headers | {"webhook-signature": sign(secrets, request.id, moment, body)}
    except ValueError as error:
        raise CapabilityMissing(f"the secret {request.webhook.secret}: {error}") from None


def _not_taken(
    request: Deliver, words: str, attempt: int, *, final: bool, answer: Answer | None = None
) -> ApplicationError:
    pause_s = pause(attempt, answer.retry_after_s if answer else None)
    log.warning(
        "webhook not taken",
        event_type=request.type,
        url=shown(request.webhook.url),
        answer=words,
        next_try_s=None if final else round(pause_s, 1),
    )
    return ApplicationError(
        words,
        attempt,
        type="NotTaken",
        non_retryable=final,
        next_retry_delay=timedelta(seconds=pause_s),
        category=ApplicationErrorCategory.BENIGN,  # told above, without a traceback
    )


def pause(attempt: int, retry_after_s: float | None) -> float:
    """Seconds until the next try: twice as long each time, up to four hours, and never all
    receivers' at one moment; not before `retry_after_s`."""
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 30))
    pause_s *= random.uniform(0.8, 1.2)
    obeyed_s = min(LONGEST_OBEYED_S, retry_after_s or 0.0)
    return max(pause_s, obeyed_s * random.uniform(1.0, 1.1))
