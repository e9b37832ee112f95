"""Events are signed, and nobody is told by what."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest
import standardwebhooks
import structlog
from temporalio.client import Client, WorkflowExecutionStatus

from longtake.contracts.steps.webhooks import delivery_workflow_id
from tests.patience import until
from tests.receiver import SECRET, Receiver, status
from tests.workflows.webhooks.telling import Pretend, begin, ended, history, log


async def test_a_secret_that_comes_late_still_signs_and_nobody_is_told_what_it_is(
    client: Client,
    pretend: Pretend,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRETS", str(tmp_path))
    with structlog.testing.capture_logs() as logged:
        job = await begin(client, receiver, secret="mine")
        await job.result()
        await until(lambda: "LONGTAKE_WEBHOOK_SECRET_MINE" in repr(logged))
        (tmp_path / "mine").write_text("whsec_of-no-use\n")
        await until(lambda: "this one is not" in repr(logged))
        other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAbcdEFGH"
        (tmp_path / "mine").write_text(f"{other}\n{SECRET}\n")
        receiver.answers = [status(500)]
        assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    for got in receiver.got:
        for secret in (SECRET, other):
            standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    told = [await history(client, job.id), await history(client, delivery_workflow_id(job.id))]
    for text in (*told, repr(logged), repr(await log(client, None, job.id))):
        for secret in (SECRET, other, "of-no-use"):
            assert secret.removeprefix("whsec_") not in text
    assert "in-the-query" not in repr(logged)


async def test_the_plain_form_signs_the_raw_body(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRET_OLD_APP", "any-characters")
    job = await begin(client, receiver, secret="old-app", form="plain")
    await job.result()
    await ended(client, job)
    assert receiver.types()[-1] == "job.completed"
    for got in receiver.got:
        signature = hmac.new(b"any-characters", got.body, "sha256").hexdigest()
        assert got.headers["x-signature"] == signature
        assert "webhook-signature" not in got.headers
