"""One POST to an address that somebody gave: checked, short, and no further than there.

Redirects are not followed, for they would lead to an address that nobody asked for. Of an answer
the status and the headers are read; what else it says may come from inside a network, and is
nobody's business.
"""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from longtake.errors import InvalidJob, StorageUnavailable
from longtake.paths import shown
from longtake.settings import WEBHOOK_ALLOW
from storage.egress import check
from storage.pinned import pinned, trusted

ANSWER_WITHIN_S = 20.0
"""All of it: the name, the connection, the request and the headers of the answer."""
_TIMEOUT = httpx.Timeout(ANSWER_WITHIN_S, connect=10.0)

# Of their own: names that nobody answers for must not keep the loop's few threads from others.
_RESOLVERS = ThreadPoolExecutor(8, thread_name_prefix="resolve")


@dataclass(frozen=True)
class Answer:
    """What a receiver said."""

    status: int
    retry_after_s: float | None
    """How long it asked to be left alone."""

    @property
    def taken(self) -> bool:
        """Did it take what was sent?"""
        return 200 <= self.status < 300


async def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send `body`.

    Raises InvalidJob for what is no link, InputForbidden where a worker may not go, InputNotFound
    for a name that does not exist, StorageUnavailable if no answer came in time.
    """
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await _post(url, headers, body)
    except TimeoutError as error:
        raise StorageUnavailable(f"no answer within {ANSWER_WITHIN_S:.0f} s") from error
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        raise StorageUnavailable(f"the connection failed: {words}") from error
    except httpx.InvalidURL as error:
        raise InvalidJob(f"{shown(url)} is no link: {error}") from error


async def _post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    loop = asyncio.get_running_loop()
    place = await loop.run_in_executor(_RESOLVERS, check, url, WEBHOOK_ALLOW)
    headers = {**headers, "User-Agent": "longtake", "Connection": "close"}
    request = pinned("POST", url, place, headers, body)
    transport = httpx.AsyncHTTPTransport(verify=trusted(), trust_env=False)
    request.extensions["timeout"] = _TIMEOUT.as_dict()
    async with transport:
        # Below httpx's client, which would look where a redirect leads.
        answer = await transport.handle_async_request(request)
        await answer.aclose()
    return Answer(answer.status_code, _seconds(answer.headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float | None:
    """Seconds from now, of a number or a date (RFC 9110, 10.2.3); None for what is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
