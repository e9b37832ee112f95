"""What Temporal keeps of a job beside its history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from longtake import Batch, InvalidJob, Longtake, Pipeline
from longtake.kinds import AnyJob
from tests.patience import until

TITLE = "A film for our site"
DOCUMENT: dict[str, Any] = {
    "title": TITLE,
    "inputs": {"film": {"type": "video"}},
    "steps": {"copy": {"kind": "transcode", "input": {"from": "inputs.film"}, "output": "a.mp4"}},
    "outputs": {"film": {"from": "copy.video"}},
}


def one(folder: Path) -> Pipeline:
    return Pipeline.model_validate(
        {
            "pipeline": DOCUMENT,
            "inputs": {"film": str(folder / "talk.mov")},
            "output": str(folder / "out"),
            "labels": {"course": "math"},
        }
    )


def many(folder: Path) -> Batch:
    return Batch.model_validate(
        {
            "input": str(folder / "*.mov"),
            "output": str(folder / "out"),
            "job": {"kind": "pipeline", "pipeline": DOCUMENT},
            "pipeline_input": "film",
            "labels": {"course": "math"},
        }
    )


@pytest.mark.parametrize("made", [one, many])
async def test_a_document_goes_to_temporal_once_and_nothing_is_missed(
    longtake: Longtake, temporal: Client, clip: Path, made: Any
) -> None:
    job: AnyJob = made(clip.parent).model_copy(update={"id": "site"})
    await longtake.start(job)
    handle = temporal.get_workflow_handle("site")
    told = await handle.describe()
    assert TITLE not in json.dumps(await told.memo())
    assert TITLE not in (await told.static_details() or "")
    (listed,) = await until(longtake.list)
    assert (listed.input, listed.output) == (job.sources[0], job.targets[0])
    assert listed.labels == {"course": "math"}

    other = job.model_copy(update={"output": str(clip.parent / "elsewhere")})
    with pytest.raises(InvalidJob, match=r"it differs in output \(there "):
        await longtake.start(other)
    await handle.terminate()
    await longtake.retry("site")
    events = [event async for event in temporal.get_workflow_handle("site").fetch_history_events()]
    begun = events[0].workflow_execution_started_event_attributes
    (asked,) = await temporal.data_converter.decode(begun.input.payloads)
    assert TITLE in json.dumps(asked)
