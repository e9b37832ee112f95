"""What a receiver believes, and what it does not."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks

from longtake import InvalidJob
from longtake.contracts import JobEvent
from longtake.identity import content_hash
from longtake.kinds import parse, to_json
from longtake.webhooks import NotVerified, sign, sign_plain, verify, verify_plain

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAbcdEFGH"
BODY = '{"type": "job.completed", "data": {"job_id": "é"}}'.encode()
FILES = {"input": "/media/talk.mov", "output": "/media/talk.mp4"}


def message(secrets: str | list[str], at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    signature = sign(secrets, "msg_1", moment, BODY)
    told = {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(moment)}
    return told | {"Webhook-Signature": signature}


def test_both_libraries_believe_each_other() -> None:
    assert standardwebhooks.Webhook(OLD).verify(BODY, message(OLD)) == json.loads(BODY)
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(OLD).sign("msg_1", now, BODY.decode())
    headers = message(OLD, now.timestamp()) | {"Webhook-Signature": signature}
    assert verify(BODY, headers, OLD) == json.loads(BODY)


@pytest.mark.parametrize("sent", [[OLD], [NEW, OLD]])
@pytest.mark.parametrize("known", [[OLD], [NEW, OLD], [OLD, NEW]])
def test_a_secret_can_be_changed_at_either_end_first(sent: list[str], known: list[str]) -> None:
    assert verify(BODY, message(sent), known)["type"] == "job.completed"
    for secret in known if sent == [NEW, OLD] else [OLD]:
        standardwebhooks.Webhook(secret).verify(BODY, message(sent))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Webhook-Signature": None}, "no header webhook-signature"),
        ({"Webhook-Id": None}, "no header webhook-id"),
        ({"Webhook-Timestamp": None}, "no header webhook-timestamp"),
        ({"Webhook-Id": "msg_2"}, "no signature"),
        ({"Webhook-Signature": "v1,"}, "no signature"),
        ({"Webhook-Signature": ""}, "no signature"),
        ({"Webhook-Signature": "v1,größe \udcff v1"}, "no signature"),
        ({"Webhook-Timestamp": "now"}, "no number"),
        ({"Webhook-Timestamp": "9" * 5000}, "no number"),
        ({"Webhook-Timestamp": "-1"}, "no number"),
    ],
)
def test_what_was_changed_is_not_believed(change: dict[str, Any], words: str) -> None:
    headers = {k: v for k, v in (message(OLD) | change).items() if v is not None}
    with pytest.raises(NotVerified, match=words):
        verify(BODY, headers, [OLD, NEW])


def test_another_body_or_version_or_secret_is_not_believed() -> None:
    for body, headers in (
        (BODY + b" ", message(OLD)),
        (BODY, message(NEW)),
        (BODY, {k: v.replace("v1,", "v2,") for k, v in message(OLD).items()}),
    ):
        with pytest.raises(NotVerified):
            verify(body, headers, OLD)


@pytest.mark.parametrize("away_s", [-400, 400])
def test_old_messages_and_those_of_the_future_are_not_believed(away_s: int) -> None:
    headers = message(OLD, time.time() + away_s)
    with pytest.raises(NotVerified, match="300 s"):
        verify(BODY, headers, OLD)
    assert verify(BODY, headers, OLD, tolerance_s=500)


def test_what_is_signed_but_no_event_is_not_believed() -> None:
    for body in (b"[]", b"no json", b"\xff"):
        moment = int(time.time())
        told = {"webhook-id": "1", "webhook-timestamp": str(moment)}
        with pytest.raises(NotVerified):
            verify(body, told | {"webhook-signature": sign(OLD, "1", moment, body)}, OLD)


def test_the_plain_form_is_an_hmac_of_the_raw_body_in_hex() -> None:
    signature = hmac.new(b"any words", BODY, "sha256").hexdigest()
    assert sign_plain("any words", BODY) == signature
    assert verify_plain(BODY, {"X-Signature": signature}, ["new", "any words"])
    for headers in ({}, {"X-Signature": ""}, {"X-Signature": signature[:-1]}):
        with pytest.raises(NotVerified):
            verify_plain(BODY, headers, "any words")
    with pytest.raises(NotVerified):
        verify_plain(BODY + b"\n", {"X-Signature": signature}, "any words")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", []])
def test_a_secret_that_protects_nothing_is_an_error(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        verify(BODY, message(OLD), secret)
    assert "c2hvcnQ" not in str(caught.value)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    verify(BODY, message(OLD), OLD)
    verify_plain(BODY, {"x-signature": sign_plain("s", BODY)}, "s")
    assert len(compared) == 2


def test_a_receiver_loads_nothing_but_the_standard_library() -> None:
    code = "from longtake.webhooks import verify; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"pydantic", "temporalio", "httpx", "typer", "yaml"})


@pytest.mark.parametrize(
    ("webhook", "words"),
    [
        ({"url": "ftp://example.com/"}, "write https://host/path"),
        ({"url": "/hooks"}, "write https://host/path"),
        ({"url": "https://"}, "write https://host/path"),
        ({"url": "https://a b/"}, "write https://host/path"),
        ({"url": "https://host/\x7f"}, "write https://host/path"),
        ({"url": "https://host:99999/"}, "write https://host/path"),
        ({"url": "https://me:pass@host/"}, "user and password"),
        ({"url": "https://host/", "secret": "../etc"}, "small letters"),
        ({"url": "https://host/", "secret": SystemError.__name__}, "small letters"),
        ({"url": "https://host/", "events": []}, "at least 1"),
        ({"url": "https://host/", "events": ["job.done"]}, "job.completed"),
    ],
)
def test_what_is_no_webhook_is_refused_in_words(webhook: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob, match=words) as caught:
        parse({**FILES, "notify": [webhook]})
    assert str(caught.value).startswith("notify")
    assert "pass@" not in str(caught.value)


def test_whom_a_job_tells_is_not_what_it_is() -> None:
    job = parse({**FILES, "notify": [{"url": "https://example.com/hooks", "secret": "mine"}]})
    assert content_hash(job) == content_hash(parse(FILES))
    assert parse(to_json(job)) == job


def test_the_schema_of_events_is_published() -> None:
    schema = JobEvent.model_json_schema(mode="serialization")
    assert {"type", "timestamp", "data"} == set(schema["required"])
