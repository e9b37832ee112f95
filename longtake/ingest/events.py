"""Messages that tell of new objects: S3's, by SQS, SNS or EventBridge, and R2's.

Sources: "Event message structure" and "EventBridge event message structure" of the Amazon S3
user guide; "Event notifications" of Cloudflare's R2 documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from longtake.errors import InvalidJob


@dataclass(frozen=True)
class Arrived:
    """An object that is new, or was replaced."""

    uri: str
    bytes: int | None = None
    at: datetime | None = None


def arrived(message: str) -> Iterator[Arrived | InvalidJob]:
    """The objects that a message tells of; none for a deletion or a test message.

    What is no event of S3 or R2 comes as an InvalidJob. It keeps no other from being read: S3 may
    tell of many objects in one message.
    """
    try:
        events = list(_events(json.loads(message)))
    except (KeyError, TypeError, ValueError):
        yield InvalidJob(f"{message[:80]!r} is no event")
        return
    for event in events:
        try:
            if (found := _object(event)) is not None:
                yield found
        except InvalidJob as error:
            yield error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield InvalidJob(
                f"an event lacks what events have: {error!r} in {json.dumps(event)[:200]}"
            )


def _events(document: Any) -> Iterator[Any]:
    """The events of a document: one, or those that S3 or SNS has wrapped up."""
    if isinstance(document, Mapping) and document.get("Type") == "Notification":  # SNS
        yield from _events(json.loads(document["Message"]))
    elif isinstance(document, Mapping) and "Records" in document:  # S3
        yield from document["Records"]
    else:
        yield document


def _object(event: Any) -> Arrived | None:
    if not isinstance(event, Mapping):
        raise InvalidJob(f"an event is a JSON object, and not {event!r:.80}")
    if "eventName" in event:  # a record of S3's
        created = event["eventName"].removeprefix("s3:").startswith("ObjectCreated:")
        return _record(event) if created else None
    if "detail-type" in event:  # EventBridge
        if event["detail-type"] != "Object Created":
            return None
        detail = event["detail"]
        # Here the key is as it is; in S3's own messages it is encoded.
        return _arrived(detail["bucket"]["name"], detail["object"], event.get("time"))
    if "action" in event:  # R2
        if event["action"] not in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
            return None
        return _arrived(event["bucket"], event["object"], event.get("eventTime"))
    if event.get("Event") == "s3:TestEvent":
        return None
    raise InvalidJob(
        "an event has Records with eventName (S3), detail-type (EventBridge) or action (R2), and "
        f"not {json.dumps(event):.200}"
    )


def _record(record: Mapping[str, Any]) -> Arrived:
    told = record["s3"]["object"]
    decoded = {**told, "key": unquote_plus(told["key"])}
    return _arrived(record["s3"]["bucket"]["name"], decoded, record.get("eventTime"))


def _arrived(bucket: str, told: Mapping[str, Any], at: str | None) -> Arrived:
    size = told.get("size")
    moment = datetime.fromisoformat(at) if at else None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Arrived(
        uri=f"s3://{bucket}/{told['key']}",
        bytes=None if size is None else int(size),
        at=moment,
    )
