"""What it means when Temporal refuses or does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.service import RPCError, RPCStatusCode

from longtake.errors import InvalidJob, JobNotFound, LongtakeError, ServiceUnreachable

_UNREACHABLE = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.PERMISSION_DENIED,
}


def plain(words: str) -> str:
    """The cause alone out of the transport's words, whose last quotation it is."""
    quoted = re.findall(r'"([^"]+)"', words)
    return quoted[-1] if quoted else words


@contextmanager
def service_errors() -> Iterator[None]:
    """Translate refusals: JobNotFound, InvalidJob, ServiceUnreachable, or LongtakeError."""
    try:
        yield
    except RPCError as error:
        if "already completed" in error.message:
            raise InvalidJob("the job is over since a moment ago") from error
        if error.status == RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            raise JobNotFound(f"there is no such job: {error.message}") from error
        broken = "transport error" in error.message  # of a server that died while it answered
        if broken or error.status in _UNREACHABLE or error.status == RPCStatusCode.NOT_FOUND:
            raise ServiceUnreachable(
                f"the Temporal service does not answer as it should: {plain(error.message)}. "
                "`longtake doctor` tells more"
            ) from error
        raise LongtakeError(f"Temporal refused: {error.message}") from error
