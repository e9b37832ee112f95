"""How to speak with S3: the client, and errors in Longtake's words.

Endpoint, region and credentials are boto3's own: environment (`AWS_ENDPOINT_URL_S3`,
`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`…), `~/.aws`, container and
instance roles.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from longtake.errors import (
    InputForbidden,
    InputNotFound,
    InvalidJob,
    LongtakeError,
    OutputConflict,
    StorageUnavailable,
)
from storage.address import Address
from storage.remote import changed

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TRIES = 5
"""Of one request, before its step fails and is tried again later."""
_CONNECTIONS = 64

_BROKEN = (
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
_PASSING = {
    *("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"),
    *("ThrottlingException", "TooManyRequests", "OperationAborted", "ConditionalRequestConflict"),
    *("BadDigest", "IncompleteBody", "RequestTimeTooSkewed", "503", "500", "502", "504", "429"),
    *("RequestThrottled", "OverLimit"),
}
_GONE = {"NoSuchKey", "404", "NotFound"}
NOT_KNOWN = {"NotImplemented", "501"}
_NO_SUCH_OPERATION = {*NOT_KNOWN, "MethodNotAllowed", "405"}
_CHANGED = {"PreconditionFailed", "412", "InvalidRange", "416"}


@functools.cache
def client() -> S3Client:
    """The client of this process, for all its threads."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": TRIES},
        connect_timeout=10,
        read_timeout=30,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        user_agent_extra="longtake",
        # Checksums of boto3's own choice are refused by older R2, MinIO and Ceph.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # Without a region boto3 speaks with no endpoint at all; others than AWS do not care.
    region = boto3.session.Session().region_name or "us-east-1"
    return boto3.session.Session().client("s3", region_name=region, config=config)


def described() -> dict[str, str | None]:
    """Endpoint, region, and where the credentials come from; nothing secret."""
    found = boto3.session.Session().get_credentials()
    return {
        "endpoint": where(),
        "region": client().meta.region_name,
        "credentials": found.method if found else None,
    }


@contextlib.contextmanager
def reading(address: Address) -> Iterator[None]:
    """Translate what boto3 raises while a source is read."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _of_reading(error, address) from error


@contextlib.contextmanager
def writing(address: Address) -> Iterator[None]:
    """Translate what boto3 raises while an output is written."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _of_writing(error, address) from error


def code_of(error: BaseException) -> str:
    """S3's code of an error, such as NoSuchKey; the HTTP status where an answer has no body."""
    return error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""


def _of_reading(error: ClientError | BotoCoreError, address: Address) -> LongtakeError:
    code = code_of(error)
    if code in _GONE:
        return InputNotFound(f"there is no object {address} at {where()}; check bucket and key")
    if code == "NoSuchBucket":
        return InputNotFound(f"there is no bucket {address.bucket} at {where()}; check its name")
    if code in _CHANGED:
        return changed(str(address))
    if code == "InvalidObjectState":
        return InputForbidden(f"{address} lies in an archive; restore it first")
    return _common(error, address) or InputForbidden(
        f"{address} may not be read ({_words(error)}), or is not there; {_ADVICE} {where()}"
    )


def _of_writing(error: ClientError | BotoCoreError, address: Address) -> LongtakeError:
    code = code_of(error)
    if code == "NoSuchBucket":
        return OutputConflict(
            f"there is no bucket {address.bucket} at {where()}; make it first, or check its name"
        )
    if code == "NoSuchUpload":
        return StorageUnavailable(f"the upload of {address} is gone; it begins anew")
    return _common(error, address) or OutputConflict(
        f"{address} may not be written ({_words(error)}); {_ADVICE} {where()}"
    )


_ADVICE = "check the workers' credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID), region and endpoint:"


def is_passing(error: Exception) -> bool:
    """Whether an endpoint that does not answer as it should may do so again by itself."""
    if not isinstance(error, ClientError):
        return isinstance(error, _BROKEN)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _PASSING or (status >= 500 and code_of(error) not in NOT_KNOWN)


def _common(error: ClientError | BotoCoreError, address: Address) -> LongtakeError | None:
    """What can be said whether we read or write; None: it is forbidden."""
    if isinstance(error, _BROKEN):
        return StorageUnavailable(
            f"{where()} does not answer as it should for {address}: {_words(error)}; if this "
            "lasts, check AWS_ENDPOINT_URL and the network"
        )
    if isinstance(error, ParamValidationError):
        return InvalidJob(f"{address}: {_words(error)}")
    if not isinstance(error, ClientError):
        return None  # such as credentials that are not there
    if code_of(error) in _NO_SUCH_OPERATION:
        return InvalidJob(
            f"{where()} does not know {error.operation_name} ({_words(error)}), which {address} "
            "needs; use an endpoint that does, or a folder"
        )
    if is_passing(error):
        return StorageUnavailable(f"{where()} is not ready for {address}: {_words(error)}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in (301, 307, 400) and "region" in str(error).lower():
        return InvalidJob(
            f"bucket {address.bucket} lies in another region ({_words(error)}); set AWS_REGION "
            "of the workers"
        )
    return None


def where() -> str:
    """The endpoint that is asked, for messages."""
    return client().meta.endpoint_url


def _words(error: Exception) -> str:
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"{told.get('Code', '?')}: {told.get('Message') or ''}".rstrip(": ")
    return " ".join(str(error).split())[:300]
