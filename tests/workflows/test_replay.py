"""Every recorded history replays: a change of a workflow that breaks running jobs fails here.

To add one: `temporal workflow show --workflow-id ID -o json > tests/histories/NAME.json`. Take the
folders of your machine out of its stack traces.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workers.registry import workflows

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in HISTORIES}


def test_there_are_histories() -> None:
    assert len(HISTORIES) >= 4


def test_no_history_tells_of_a_machine() -> None:
    assert [path.stem for path in HISTORIES if 'File \\"/' in TEXTS[path]] == []


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=workflows(), data_converter=pydantic_data_converter)
    begun = json.loads(TEXTS[path])["events"][0]["workflowExecutionStartedEventAttributes"]
    # Jobs that a job runs are called after it.
    history = WorkflowHistory.from_json(begun.get("workflowId", path.stem), TEXTS[path])
    outcome = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    assert outcome.replay_failure is None
