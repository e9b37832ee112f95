"""Batches that are steps of pipelines, on a real Temporal server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from tests.patience import until
from tests.workflows.piped import Pipelines, Pretend, pipelines, pretend, until_now

__all__ = ["pipelines", "pretend"]


def steps(folder: Path, *names: str, **fields: object) -> dict[str, Any]:
    """A batch, and a step that reads its report."""
    films = folder / "films"
    films.mkdir(exist_ok=True)
    for name in names:
        (films / f"{name}.mp4").write_text(name)
    each = {"kind": "command", "arguments": ["-vf", "hflip"]}
    batch = {"kind": "batch", "input": f"{films}/*.mp4", "output": "web", "job": each}
    report = [{"from": "all.report"}]
    return {
        "all": batch | fields,
        "sums": {"kind": "checksums", "files": report, "output": "SUMS"},
    }


def lines(folder: Path, job_id: str) -> dict[str, tuple[str, bool]]:
    text = (folder / "out" / "web" / f"{job_id}.all.jsonl").read_text()
    told = [json.loads(line) for line in text.splitlines()]
    return {Path(line["input"]).stem: (line["state"], line["ran"]) for line in told}


async def test_what_needs_a_batch_runs_behind_all_its_items_and_a_new_film_is_found(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    result, states = await pipelines.run(steps(pipelines.folder, "one", "two"), output="all.report")
    assert sorted(pretend.begun) == ["one", "two"]
    assert states["all"].outputs[0].role == "report"
    made = {path.name for path in (pipelines.folder / "out" / "web").iterdir()}
    assert made == {"one.mp4", "two.mp4", f"{result.job_id}.all.jsonl"}
    pretend.begun.clear()
    again, states = await pipelines.run(steps(pipelines.folder, "three"), output="all.report")
    assert pretend.begun == ["three"]
    assert states["all"].why == "a batch looks each time what is new"
    assert lines(pipelines.folder, again.job_id)["one"] == ("succeeded", False)


@pytest.mark.parametrize("on_error", ["fail", "continue", "skip"])
async def test_a_batch_with_items_that_failed_fails_and_leaves_its_report(
    pipelines: Pipelines, pretend: Pretend, on_error: str
) -> None:
    pretend.bad = {"two"}
    document = steps(pipelines.folder, "one", "two", on_error=on_error)
    handle = await pipelines.begin(document, output="all.report")
    if on_error == "fail":
        failed = await pipelines.failure(handle)
        assert failed.type == "ItemsFailed"
        assert failed.message.startswith("step all: 1 of 2 items failed, the others are done: ")
    else:
        await handle.result()
    states = await pipelines.states(handle)
    then = {"fail": "waiting", "continue": "done", "skip": "skipped"}[on_error]
    assert (states["all"].state, states["sums"].state) == ("failed", then)
    assert lines(pipelines.folder, handle.id) == {
        "one": ("succeeded", True),
        "two": ("failed", True),
    }
    told = await pipelines.longtake.get(handle.id)
    assert [Path(output.uri).name for output in told.outputs] == [f"{handle.id}.all.jsonl"]


async def until_two(pretend: Pretend) -> None:
    async def run() -> bool:
        return len(pretend.now) == 2

    await until(run)


async def test_pause_and_cancel_reach_the_items(pipelines: Pipelines, pretend: Pretend) -> None:
    pretend.held = {"one", "two", "three"}
    document = steps(pipelines.folder, "one", "two", "three", max_parallel=2)
    handle = await pipelines.begin(document, output="sums.list")
    await until_two(pretend)
    await handle.signal("pause")
    await until_now(pretend)
    await handle.signal("resume")
    await until_two(pretend)
    await handle.signal("cancel", "enough")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert pretend.now == set()
    assert (await pipelines.states(handle))["all"].state == "canceled"
    told = lines(pipelines.folder, handle.id)
    assert sorted(state for state, _ in told.values()) == ["canceled", "canceled", "left"]


async def test_items_are_replaced_only_if_the_pipeline_may(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    await pipelines.run(steps(pipelines.folder, "one"), output="sums.list")
    changed = {"kind": "command", "arguments": ["-vf", "vflip"]}
    pretend.begun.clear()
    await pipelines.run(steps(pipelines.folder, job=changed), output="sums.list", overwrite=True)
    assert pretend.begun == ["one"]
