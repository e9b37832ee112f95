"""Pipelines that are steps of pipelines, on a real Temporal server: what they make and keep, and
whether what is told to the outer one reaches the inner one."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from storage.folder_store import FolderStore
from tests.patience import until
from tests.workflows.piped import (
    Pipelines,
    Pretend,
    command,
    made_eight_days_ago,
    pipelines,
    pretend,
    until_now,
)

__all__ = ["pipelines", "pretend"]

INNER: dict[str, Any] = {
    "inputs": {"master": {"type": "video"}},
    "steps": {
        "one": command("inputs.master", "one.mp4"),
        "two": command("one.video", "two.mp4"),
    },
    "outputs": {"film": {"from": "two.video"}},
}


def outer(inner: dict[str, Any] = INNER, **fields: object) -> dict[str, Any]:
    """A step, a pipeline that reads what it made, and a step that reads what that one made."""
    nested = {
        "kind": "pipeline",
        "pipeline": inner,
        "inputs": {"master": {"from": "a.video"}},
        "output": "extras",
        **fields,
    }
    return {
        "a": command("inputs.film", "a.mp4"),
        "inner": nested,
        "z": command("inner.film", "z.mp4"),
    }


async def test_what_a_pipeline_within_makes_is_read_by_the_next_step(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    result, states = await pipelines.run(outer())
    assert pretend.begun == ["a", "one", "two", "z"]
    (published,) = result.outputs
    assert Path(published.uri).read_text() == "film a one two z"
    assert {name: status.state for name, status in states.items()} == {
        "a": "done",
        "inner": "done",
        "z": "done",
    }
    assert states["inner"].job_id == f"{result.job_id}.inner"
    assert [output.role for output in states["inner"].outputs] == ["film"]
    assert [path.name for path in (pipelines.folder / "out").iterdir()] == ["z.mp4"]


async def test_a_change_within_does_only_what_changed(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    await pipelines.run(outer())
    pretend.begun.clear()
    _, states = await pipelines.run(outer())
    assert pretend.begun == []
    assert all(status.reused for status in states.values())
    flipped = command("one.video", "two.mp4", arguments=["-vf", "vflip"])
    changed = {**INNER, "steps": {**INNER["steps"], "two": flipped}}
    _, states = await pipelines.run(outer(changed))
    assert pretend.begun == ["two"], "z reads the same bytes as before"
    why = states["inner"].why or ""
    assert why.startswith("its settings changed: pipeline.steps.two.arguments")


async def test_what_an_inner_pipeline_keeps_is_used_by_the_outer_one(
    pipelines: Pipelines, pretend: Pretend, home: Path
) -> None:
    between = {
        "inputs": {"master": {"type": "video"}},
        "steps": {"deep": {**outer()["inner"], "inputs": {"master": {"from": "inputs.master"}}}},
        "outputs": {"film": {"from": "deep.film"}},
    }
    await pipelines.run(outer(between))
    kept = made_eight_days_ago(home)
    assert {path.name for path in kept} >= {"one.mp4", "one.json", "deep.json", "inner.json"}
    await pipelines.run(outer(between))
    assert FolderStore(home / "work").sweep(7 * 86_400)[0] == 0


async def test_pause_and_priority_reach_the_steps_within(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    pretend.held = {"one"}
    handle = await pipelines.begin(outer(), priority=2)
    await until_now(pretend, "one")
    await handle.signal("pause")
    await until_now(pretend)
    await handle.signal("set_priority", 1)
    pretend.held.clear()
    pretend.begun.clear()
    await handle.signal("resume")
    await handle.result()
    assert pretend.begun == ["one", "two", "z"]
    assert [pretend.priorities[name] for name in ("a", "two", "z")] == [2, 1, 1]


async def test_a_cancel_reaches_the_steps_within_and_does_the_inner_ones_last(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    pretend.held = {"one"}
    inner = {**INNER, "on_cancel": command("inputs.master", "gone.mp4")}
    handle = await pipelines.begin(outer(inner), output="inner.film")
    await until_now(pretend, "one")
    await handle.signal("cancel", "enough")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    states = await pipelines.states(handle)
    assert {name: status.state for name, status in states.items()} == {
        "a": "done",
        "inner": "canceled",
        "z": "waiting",
    }
    assert pretend.now == set()
    made = pipelines.folder / "out" / "extras" / "gone.mp4"
    assert made.read_text() == "film a gone"
    assert (await pipelines.longtake.get(f"{handle.id}.inner")).state == "canceled"


async def test_a_gate_within_is_told_of_outside_and_passed_by_the_inner_id(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    gated = command("one.video", "two.mp4", gate="approval")
    inner = {**INNER, "steps": {**INNER["steps"], "two": gated}}
    handle = await pipelines.begin(outer(inner))
    words = f"approval of two: `longtake approve {handle.id}.inner two`"

    async def waits() -> bool:
        told = (await pipelines.longtake.get(handle.id)).progress.waiting_for
        return told == words

    await until(waits)
    assert pretend.begun == ["a", "one"]
    await pipelines.longtake.approve(f"{handle.id}.inner", "two")
    await handle.result()
    assert pretend.begun == ["a", "one", "two", "z"]


@pytest.mark.parametrize(("on_error", "last"), [("fail", "waiting"), ("continue", "skipped")])
async def test_a_failure_within_is_that_of_the_step(
    pipelines: Pipelines, pretend: Pretend, on_error: str, last: str
) -> None:
    pretend.bad = {"two"}
    handle = await pipelines.begin(outer(on_error=on_error))
    if on_error == "fail":
        failed = await pipelines.failure(handle)
        assert failed.type == "InputCorrupt"
        assert failed.message == "step inner: step two: not a film"
    else:
        await handle.result()
    states = await pipelines.states(handle)
    assert (states["inner"].state, states["z"].state) == ("failed", last)
