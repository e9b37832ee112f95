"""Log lines of worker processes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from temporalio.common import Priority
from temporalio.worker import Worker

from longtake import service
from longtake.queues import task_queue
from tests.workers.asking import AsksAWorker
from workers.interceptor import job_fields

SPEAKS = """
import logging
import structlog
from workers import telemetry
telemetry.configure("cpu")
log = structlog.get_logger("longtake.test")
with structlog.contextvars.bound_contextvars(job="job-1"):
    log.info("encoding", fps=24.5)
    logging.getLogger("temporalio.activity").warning("failed %d times", 2)
log.debug("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""


def _said(level: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SPEAKS],
        env={"LONGTAKE_LOG_LEVEL": level},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_lines_are_json_where_there_is_no_terminal() -> None:
    ours, theirs, broken = _said("INFO")
    assert (ours["event"], ours["fps"], ours["level"]) == ("encoding", 24.5, "info")
    assert (theirs["event"], theirs["level"]) == ("failed 2 times", "warning")
    for line in (ours, theirs):
        assert (line["job"], line["worker"]) == ("job-1", "cpu")
        assert {"pid", "timestamp", "logger"} <= set(line)
    assert "ZeroDivisionError" in broken["exception"]


def test_the_level_can_be_set() -> None:
    assert [line["event"] for line in _said("ERROR")] == ["broken"]
    assert "not shown" in [line["event"] for line in _said("DEBUG")]
    assert len(_said("nonsense")) == 3


class Listener(logging.Handler):
    """Sees each record where a worker's handler sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append({**job_fields(None, "info", {"event": record.getMessage()})})


async def test_a_workflows_lines_name_the_job(
    running: service.Endpoint, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    listener = Listener()
    logger = logging.getLogger("temporalio.workflow")
    monkeypatch.setattr(logger, "handlers", [listener])
    before = logger.level
    logger.setLevel(logging.INFO)  # not set as an attribute: loggers remember what they decided
    request.addfinalizer(lambda: logger.setLevel(before))
    client = await service.connect(running)
    async with Worker(client, task_queue="speaks", workflows=[AsksAWorker]):
        await client.execute_workflow(
            AsksAWorker.run,
            task_queue("io"),
            id="speaks-1",
            task_queue="speaks",
            priority=Priority(fairness_key="acme"),
        )
    (event,) = listener.events
    assert event == {
        "event": "asking",
        "job": "speaks-1",
        "tenant": "acme",
        "workflow": "AsksAWorker",
        "attempt": 1,
    }
