"""Steps of pipelines that wait for a person, on a real Temporal server."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from longtake.contracts import JobResult
from longtake.contracts.result import Progress
from longtake.contracts.steps.webhooks import Messages, delivery_workflow_id
from longtake.contracts.webhooks import JobEvent
from longtake.errors import InvalidJob
from tests.patience import until
from tests.workflows.piped import (
    DIAMOND,
    Pipelines,
    Pretend,
    command,
    pipelines,
    pretend,
)
from tests.workflows.pretend import temporal

__all__ = ["pipelines", "pretend"]


async def test_a_gate_waits_for_a_person(pipelines: Pipelines, pretend: Pretend) -> None:
    gated = command("b.video", "d.mp4", gate="approval")
    steps = {**DIAMOND, "d": gated, "e": command("d.video", "e.mp4")}
    handle = await pipelines.begin(steps)
    await until(lambda: is_gated(pipelines, handle, "d"))
    await asyncio.sleep(0.3)
    assert "d" not in pretend.begun
    told = Progress.model_validate(await handle.query("progress"))
    assert told.waiting_for == f"approval of d: `longtake approve {handle.id} d`"
    with pytest.raises(InvalidJob, match="step f is not there; waiting for approval: d"):
        await pipelines.longtake.approve(handle.id, "f")
    with pytest.raises(InvalidJob, match="step e has no gate"):
        await pipelines.longtake.approve(handle.id, "e")
    await handle.signal("approve", "f")
    words = "no step of that name with a gate: f; those with a gate: d"
    assert words in await details(pipelines, handle)
    await pipelines.longtake.approve(handle.id, "d")
    result = JobResult.model_validate(await handle.result())
    assert Path(result.outputs[0].uri).read_text() == "film a b d e"


async def test_a_batch_tells_which_item_waits_for_a_person(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    document = {
        "inputs": {"film": {"type": "video"}},
        "steps": {"copy": command("inputs.film", "copy.mp4", gate="approval")},
        "outputs": {"copy": {"from": "copy.video"}},
    }
    job = {
        "input": str(pipelines.folder / "*.mp4"),
        "output": str(pipelines.folder / "out"),
        "job": {"kind": "pipeline", "pipeline": document},
        "pipeline_input": "film",
    }
    handle = await pipelines.client.start_workflow("Batch", job, id="many", task_queue="longtake")

    async def waits() -> str | None:
        return (await pipelines.longtake.get("many")).progress.waiting_for

    await until(waits)
    words = await waits()
    assert words is not None
    found = re.fullmatch(r"approval of copy: `longtake approve (\S+) copy`", words)
    assert found is not None
    await pipelines.longtake.approve(found[1], "copy")
    assert JobResult.model_validate(await handle.result()).state == "succeeded"


async def test_webhooks_are_told_which_steps_begin_and_whom_they_wait_for(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    steps = {
        "a": command("inputs.film", "a.mp4", label="CUTTING"),
        "b": command("a.video", "b.mp4", gate="approval", label="PUBLISHING"),
        "c": command("b.video", "c.mp4"),
    }
    handle = await pipelines.begin(steps, notify=[{"url": "https://app.example.com/hook"}])
    await until(lambda: is_gated(pipelines, handle, "b"))
    await handle.signal("approve", "b")
    await handle.result()
    deliveries = pipelines.client.get_workflow_handle(delivery_workflow_id(handle.id))
    told = Messages.model_validate(await deliveries.query("messages"))
    events = [JobEvent.model_validate_json(message.body) for message in told.messages]
    stages = [event.data.progress for event in events if event.type == "job.stage"]
    asked = f"approval of b: `longtake approve {handle.id} b`"
    assert [(each.label, each.waiting_for) for each in stages] == [
        *[(None, None)] * 2,  # probing, running
        *(("CUTTING", None), (None, asked), ("PUBLISHING", None), ("c", None)),
    ]


async def test_an_approval_may_come_at_once(pipelines: Pipelines, pretend: Pretend) -> None:
    steps = {**DIAMOND, "d": command("b.video", "d.mp4", gate="approval")}
    handle = await pipelines.begin(steps)
    await pipelines.longtake.approve(handle.id, "d")
    assert JobResult.model_validate(await handle.result()).state == "succeeded"


async def details(pipelines: Pipelines, handle: WorkflowHandle[Any, Any]) -> str:
    """What Temporal's UI shows of the job."""
    words = ("workflow", "metadata", "--workflow-id", handle.id, "--output", "json")
    shown = json.loads(await temporal(pipelines.client, *words))
    return str(shown["queryResult"][0]["currentDetails"])


async def is_gated(pipelines: Pipelines, handle: WorkflowHandle[Any, Any], name: str) -> bool:
    status = (await pipelines.states(handle)).get(name)
    return status is not None and status.state == "gated"


async def test_an_approval_counts_for_later_runs_of_the_same(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    steps = {**DIAMOND, "d": command("b.video", "d.mp4", gate="approval")}
    pretend.bad = {"d"}
    handle = await pipelines.begin(steps)
    await until(lambda: is_gated(pipelines, handle, "d"))
    await handle.signal("approve", "d")
    assert (await pipelines.failure(handle)).message == "step d: not a film"

    pretend.bad = set()
    pretend.begun.clear()
    _, states = await pipelines.run(steps)
    assert pretend.begun == ["d"], "it was let through, and had failed"
    _, states = await pipelines.run(steps)
    assert states["d"].reused, "what is done is not asked for"


@pytest.mark.parametrize("change", ["the step", "a step before it", "a file that was given"])
async def test_an_approval_counts_for_nothing_else(
    pipelines: Pipelines, pretend: Pretend, change: str
) -> None:
    steps = {**DIAMOND, "d": command("b.video", "d.mp4", gate="approval")}
    handle = await pipelines.begin(steps)
    await handle.signal("approve", "d")
    await handle.result()
    if change == "the step":
        steps["d"] = {**steps["d"], "arguments": ["-vf", "vflip"]}
    elif change == "a step before it":
        steps["b"] = command("a.video", "other.mp4")
    else:
        (pipelines.folder / "film.mp4").write_text("another film")
    again = await pipelines.begin(steps, overwrite=True)
    await until(lambda: is_gated(pipelines, again, "d"))
    following = pipelines.longtake.progress(again.id)
    assert (await anext(following)).waiting_for
    await again.signal("cancel")
    *_, last = [each async for each in following]
    assert (last.state, last.waiting_for) == ("canceled", None)
