"""Messages that tell of new objects: S3's, by SQS, SNS or EventBridge, and R2's.

Sources: "Event message structure" and "EventBridge event message structure" of the Amazon S3
user guide; "Event notifications" of Cloudflare's R2 documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from longtake.errors import InvalidJob


@dataclass(frozen=True)
class Arrived:
    """An object that is new, or was replaced."""

    uri: str
    bytes: int | None = None
    at: datetime | None = None


def arrived(message: str) -> tuple[Arrived, ...]:
    """The objects that a message tells of; none for a deletion or a test message.

    Raises InvalidJob for what is no event of S3 or R2.
    """
    try:
        document = json.loads(message)
    except ValueError as error:
        raise InvalidJob(f"{message[:80]!r} is no event: it is not JSON") from error
    try:
        return tuple(_objects(document))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidJob(
            f"an event lacks what events have: {error!r} in {message[:200]}"
        ) from error


def _objects(document: Any) -> Iterator[Arrived]:
    if not isinstance(document, Mapping):
        raise InvalidJob(f"an event is a JSON object, and not {document!r:.80}")
    if document.get("Type") == "Notification" and "Message" in document:  # SNS
        yield from arrived(document["Message"])
    elif "Records" in document:
        for record in document["Records"]:
            if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
                yield _record(record)
    elif "detail-type" in document:  # EventBridge
        if document["detail-type"] == "Object Created":
            detail = document["detail"]
            # Here the key is as it is; in S3's own messages it is encoded.
            yield _arrived(detail["bucket"]["name"], detail["object"], document.get("time"))
    elif "action" in document:  # R2
        if document["action"] in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
            yield _arrived(document["bucket"], document["object"], document.get("eventTime"))
    elif document.get("Event") != "s3:TestEvent":
        raise InvalidJob("an event has Records (S3), detail-type (EventBridge) or action (R2)")


def _record(record: Mapping[str, Any]) -> Arrived:
    told = record["s3"]["object"]
    decoded = {**told, "key": unquote_plus(told["key"])}
    return _arrived(record["s3"]["bucket"]["name"], decoded, record.get("eventTime"))


def _arrived(bucket: str, told: Mapping[str, Any], at: str | None) -> Arrived:
    size = told.get("size")
    return Arrived(
        uri=f"s3://{bucket}/{told['key']}",
        bytes=None if size is None else int(size),
        at=datetime.fromisoformat(at) if at else None,
    )
