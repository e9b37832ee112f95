from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from longtake import InvalidJob
from longtake.ingest.events import Arrived, arrived

AT = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
S3 = {
    "eventName": "ObjectCreated:CompleteMultipartUpload",
    "eventTime": "2026-11-26T12:30:00.000Z",
    "s3": {
        "bucket": {"name": "uploads"},
        "object": {"key": "in/a+talk+%C3%BC.mov", "size": 7, "eTag": "x", "sequencer": "1"},
    },
}
EVENTBRIDGE = {
    "detail-type": "Object Created",
    "time": "2026-11-26T12:30:00Z",
    "detail": {"bucket": {"name": "uploads"}, "object": {"key": "in/a talk ü.mov", "size": 7}},
}
R2 = {
    "account": "1",
    "action": "PutObject",
    "bucket": "uploads",
    "object": {"key": "in/a talk ü.mov", "size": 7, "eTag": "x"},
    "eventTime": "2026-11-26T12:30:00.000Z",
}
TALK = Arrived("s3://uploads/in/a talk ü.mov", 7, AT)


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [S3]},
        {"Records": [{**S3, "eventName": "s3:ObjectCreated:Put"}]},
        {"Type": "Notification", "Message": json.dumps({"Records": [S3]})},
        EVENTBRIDGE,
        R2,
        {**R2, "eventTime": "2026-11-26T12:30:00"},
    ],
    ids=["S3", "S3 of MinIO", "SNS", "EventBridge", "R2", "without a time zone"],
)
def test_an_event_tells_of_its_object(event: object) -> None:
    assert list(arrived(json.dumps(event))) == [TALK]


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [{**S3, "eventName": "ObjectRemoved:Delete"}]},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"},
        {**EVENTBRIDGE, "detail-type": "Object Deleted"},
        {**R2, "action": "DeleteObject"},
    ],
    ids=["S3", "test", "EventBridge", "R2"],
)
def test_what_is_no_new_object_is_passed_over(event: object) -> None:
    assert list(arrived(json.dumps(event))) == []


@pytest.mark.parametrize(
    "message", ["", "not JSON", "[]", '"x"', "{}", '{"Records": [{}]}', '{"Records": 3}']
)
def test_what_is_no_event_is_told(message: str) -> None:
    (told,) = arrived(message)
    assert isinstance(told, InvalidJob)
    assert "event" in str(told)


@pytest.mark.parametrize("torn", [{}, 3, {**S3, "s3": {"bucket": {"name": "uploads"}}}])
def test_a_record_that_cannot_be_read_keeps_no_other_from_being_read(torn: object) -> None:
    before, wrong, after = arrived(json.dumps({"Records": [S3, torn, S3]}))
    assert (before, after) == (TALK, TALK)
    assert isinstance(wrong, InvalidJob)
