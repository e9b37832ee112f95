"""The receiver in docs/webhooks.md takes what a job sends, and nothing else."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi.testclient import TestClient

from longtake.contracts import JobEvent, Webhook
from longtake.contracts.webhooks import EventData, EventType
from longtake.kinds import parse
from longtake.webhooks import sign
from tests.receiver import SECRET

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_receiver_takes_each_event_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LONGTAKE_SECRETS", f"{SECRET} whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAbcd")
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(blocks("python")[0], "receiver.py", "exec"), names)
    client = TestClient(names["app"])
    body = blocks("json")[1].encode()
    moment = int(time.time())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(moment)}
    headers["webhook-signature"] = sign(SECRET, "msg_1", moment, body)
    for _ in range(2):
        assert client.post("/hooks/longtake", content=body, headers=headers).status_code == 204
    assert capsys.readouterr().out.splitlines() == ["talk job.completed None"]
    assert client.post("/hooks/longtake", content=body + b" ", headers=headers).status_code == 401


def test_the_page_names_what_there_is() -> None:
    (job, event) = blocks("json")
    assert parse(json.loads(job)).notify[0].secret == "app"
    shown = json.loads(event)
    assert shown.keys() == JobEvent.model_fields.keys()
    assert shown["data"].keys() == EventData.model_fields.keys()
    words = [*get_args(EventType), *Webhook.model_fields]
    assert not [word for word in words if f"`{word}`" not in PAGE]
