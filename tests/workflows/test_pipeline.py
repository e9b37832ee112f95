"""Pipelines on a real Temporal server: their steps, what they keep, and how they end."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from longtake.contracts import JobResult
from longtake.contracts.result import Progress
from longtake.errors import StorageUnavailable
from longtake.runs import find_run
from storage.folder_store import FolderStore
from storage.local import LocalStorage, sha256_of
from tests.patience import WAIT_S, until
from tests.workflows.piped import (
    DIAMOND,
    Pipelines,
    Pretend,
    command,
    made_eight_days_ago,
    pipelines,
    pretend,
    until_now,
)

__all__ = ["pipelines", "pretend"]


async def test_steps_run_in_order_and_side_by_side(pipelines: Pipelines, pretend: Pretend) -> None:
    pretend.held = {"b", "c"}
    handle = await pipelines.begin(DIAMOND)
    await until_now(pretend, "b", "c")
    pretend.held = set()
    result = JobResult.model_validate(await handle.result())
    states = await pipelines.states(handle)
    assert (pretend.begun[0], pretend.begun[-1]) == ("a", "d")
    assert {name: status.state for name, status in states.items()} == dict.fromkeys("abcd", "done")
    (published,) = result.outputs
    assert (published.role, Path(published.uri)) == ("last", pipelines.folder / "out" / "d.mp4")
    assert Path(published.uri).read_text() == "film a b d"
    assert [path.name for path in (pipelines.folder / "out").iterdir()] == ["d.mp4"]
    assert (result.stats.chunks, result.stats.counts, result.stats.cpu_s) == (4, "steps", 4.0)


async def test_the_same_again_does_nothing_and_a_change_only_what_follows(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    await pipelines.run(DIAMOND)
    pretend.begun.clear()
    result, states = await pipelines.run(DIAMOND)
    assert pretend.begun == []
    assert all(status.reused for status in states.values())
    assert result.stats.chunks_reused == 4

    changed = {**DIAMOND, "b": command("a.video", "b.mp4", arguments=["-vf", "vflip"])}
    _, states = await pipelines.run(changed, overwrite=True)
    assert pretend.begun == ["b"], "what b made is the same as before, so d is, too"
    assert "arguments" in (states["b"].why or "")

    (pipelines.folder / "film.mp4").write_text("another film")
    pretend.begun.clear()
    _, states = await pipelines.run(changed, overwrite=True)
    assert sorted(pretend.begun) == ["a", "b", "c", "d"]
    assert states["a"].why == "film.mp4 changed"
    assert states["d"].why == "b.video changed"

    (pipelines.folder / "out" / "d.mp4").unlink()
    pretend.begun.clear()
    _, states = await pipelines.run(changed)
    assert pretend.begun == ["d"]
    assert states["d"].why == "d.mp4 is not there any more as it was made"


async def test_a_failure_ends_the_others_and_what_is_done_is_kept(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    pretend.bad, pretend.held = {"b"}, {"c"}
    handle = await pipelines.begin(DIAMOND)
    failed = await pipelines.failure(handle)
    assert (failed.type, failed.message) == ("InputCorrupt", "step b: not a film")
    states = await pipelines.states(handle)
    assert {name: status.state for name, status in states.items()} == {
        "a": "done",
        "b": "failed",
        "c": "canceled",
        "d": "waiting",
    }
    assert pretend.now == set()
    pretend.bad, pretend.held = set(), set()
    pretend.begun.clear()
    await pipelines.run(DIAMOND)
    assert "a" not in pretend.begun


@pytest.mark.parametrize(("on_error", "last"), [("continue", "done"), ("skip", "skipped")])
async def test_a_step_may_fail(
    pipelines: Pipelines, pretend: Pretend, on_error: str, last: str
) -> None:
    pretend.bad = {"c"}
    steps = {**DIAMOND, "c": command("a.video", "c.mp4", on_error=on_error)}
    result, states = await pipelines.run(steps)
    assert result.state == "succeeded"
    assert [states[name].state for name in "abcd"] == ["done", "done", "failed", last]
    assert result.warnings == ("c: failed: not a film",)


async def test_conditions_skip_a_step_and_those_that_read_it(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    tall = {"of": "a.video", "height": {"at_least": 720}}
    steps = {**DIAMOND, "b": command("a.video", "b.mp4", when=tall)}
    result, states = await pipelines.run(steps)
    assert states["b"].why == "the picture's shorter side has 180 px, not at least 720"
    assert states["d"].why == "there is no b.video, for b was skipped"
    assert sorted(pretend.begun) == ["a", "c"]
    assert result.outputs == ()


async def test_what_is_used_again_is_not_swept(
    pipelines: Pipelines, pretend: Pretend, home: Path
) -> None:
    await pipelines.run(DIAMOND)
    kept = made_eight_days_ago(home)
    assert {path.name for path in kept} >= {"a.mp4", "a.json", "d.json"}
    written = {path: path.stat().st_mtime_ns for path in kept}
    (forgotten := kept[0].with_name("forgotten")).touch()
    os.utime(forgotten, (0, 0))
    await pipelines.run(DIAMOND)
    assert FolderStore(home / "work").sweep(7 * 86_400)[0] == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == written, "they are the same files"


async def test_what_running_steps_have_done_counts(pipelines: Pipelines, pretend: Pretend) -> None:
    pretend.held = {"b", "c"}
    handle = await pipelines.begin(DIAMOND)
    await until_now(pretend, "b", "c")
    following = pipelines.longtake.progress(handle.id)
    async with asyncio.timeout(WAIT_S):
        seen = [progress.fraction async for progress in _until_half(following)]
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx((1 + 0.5 + 0.5) / 4), "one of four is done, two are half done"
    pretend.held.clear()
    await handle.result()


async def _until_half(following: AsyncIterator[Progress]) -> AsyncIterator[Progress]:
    async for progress in following:
        yield progress
        if progress.fraction >= 0.5:
            return


async def test_an_id_that_no_step_can_have_is_refused_before_anything_runs(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    error = await pipelines.failure(await pipelines.begin(DIAMOND, id="orders/7"))
    assert error.type == "InvalidJob"
    assert "'orders/7' will not do; use letters" in error.message
    assert not pretend.begun
    assert not (pipelines.folder / "out").exists()


async def test_a_cancelled_pipeline_does_its_last_step(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    pretend.held = {"b", "c"}
    last = command("inputs.film", "last.mp4")
    for cancel in ("signal", "temporal"):
        pretend.begun.clear()
        handle = await pipelines.begin(DIAMOND, on_cancel=last, overwrite=True)
        await until_now(pretend, "b", "c")
        if cancel == "signal":
            await handle.signal("cancel", "enough")
        else:
            await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        run = await find_run(pipelines.client, handle.id)
        assert run is not None
        assert run.state == "canceled"
        states = await pipelines.states(handle)
        assert [states[name].state for name in ("a", "b", "c", "d", "on_cancel")] == [
            *("done", "canceled", "canceled", "waiting", "done")
        ]
        assert pretend.begun[-1] == "last"
        assert pretend.now == set()
        made = pipelines.folder / "out" / "last.mp4"
        assert made.read_text() == "film last"
        made.unlink()


@pytest.mark.parametrize(
    "order", [("signal", "signal"), ("signal", "Temporal"), ("Temporal", "signal")]
)
async def test_a_second_cancel_neither_ends_the_last_step_nor_changes_the_reason(
    pipelines: Pipelines, pretend: Pretend, order: tuple[str, str]
) -> None:
    pretend.held = {"b", "c", "last"}
    handle = await pipelines.begin(DIAMOND, on_cancel=command("inputs.film", "last.mp4"))
    await until_now(pretend, "b", "c")
    for by, reason in zip(order, ("the first", "the second"), strict=True):
        await (handle.signal("cancel", reason) if by == "signal" else handle.cancel(reason=reason))
        await until_now(pretend, "last")
    await asyncio.sleep(1)
    assert pretend.now == {"last"}
    progress = Progress.model_validate(await handle.query("progress"))
    assert progress.label == "canceled, does on_cancel"
    pretend.held.clear()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await pipelines.states(handle))["on_cancel"].state == "done"
    assert (pipelines.folder / "out" / "last.mp4").read_text() == "film last"
    job = await pipelines.longtake.get(handle.id)
    assert job.state == "canceled"
    assert job.error is not None
    assert job.error.message.endswith("the first")


async def test_a_cancel_removes_what_killed_attempts_left_of_a_document(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(self: LocalStorage, staged: Path, *_: str) -> None:
        os.link(staged, staged.with_name(f"{staged.stem}-left.part"))
        raise StorageUnavailable("the worker was killed")

    monkeypatch.setattr(LocalStorage, "upload", killed)
    sums = {"kind": "checksums", "files": [{"from": "inputs.film"}], "output": "told/SHA256SUMS"}
    handle = await pipelines.begin({"sums": sums}, output="sums.list")
    out = pipelines.folder / "out"

    async def is_left() -> bool:
        return bool(list(out.rglob("*-left.part")))

    await until(is_left)
    await handle.signal("cancel", "enough")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert not out.exists(), "the pipeline had made it"


async def test_pause_and_priority_reach_the_steps(pipelines: Pipelines, pretend: Pretend) -> None:
    pretend.held = {"a"}
    steps = {**DIAMOND, "a": command("inputs.film", "a.mp4", priority=5)}
    handle = await pipelines.begin(steps, priority=2)
    await until_now(pretend, "a")
    assert pretend.priorities == {"a": 5}
    await handle.signal("pause")
    await until_now(pretend)
    pretend.held = set()
    pretend.begun.clear()
    await asyncio.sleep(0.3)
    assert pretend.begun == []
    await handle.signal("resume")
    await handle.result()
    assert pretend.priorities == {"a": 5, "b": 2, "c": 2, "d": 2}


async def test_a_step_that_takes_too_long_fails_by_its_deadline(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    pretend.held = {"a"}
    steps = {"a": command("inputs.film", "a.mp4", deadline_s=1)}
    failed = await pipelines.failure(await pipelines.begin(steps))
    assert failed.type == "DeadlineExceeded"
    assert failed.message.startswith("step a: ")
    assert "without a deadline" not in failed.message, "the step's counts anew"


async def test_checksums_and_report_tell_of_the_steps(
    pipelines: Pipelines, pretend: Pretend
) -> None:
    steps = {
        **DIAMOND,
        "sums": {
            "kind": "checksums",
            "files": [{"from": "d.video"}, {"from": "inputs.film"}],
            "output": "SHA256SUMS",
        },
        "report": {"kind": "report", "needs": ["d", "sums"], "output": "told/report.json"},
    }
    await pipelines.run(steps, output="report.report")
    out = pipelines.folder / "out"
    report = json.loads((out / "told" / "report.json").read_text())
    assert [(told["name"], told["state"]) for told in report["steps"]] == [
        *(("d", "done"), ("sums", "done"))
    ]
    assert report["steps"][0]["stats"]["cpu_s"] == 1.0
    (sums,) = (pipelines.folder / "home").rglob("SHA256SUMS")
    lines = [line.split("  ") for line in sums.read_text().splitlines()]
    written = {name: sha256 for sha256, name in lines}
    assert written[str(pipelines.folder / "film.mp4")] == sha256_of(pipelines.folder / "film.mp4")
    assert set(written.values()) >= {report["steps"][0]["outputs"][0]["sha256"]}
    before = (out / "told" / "report.json").stat().st_mtime_ns
    _, states = await pipelines.run(steps, output="report.report")
    assert all(status.reused for status in states.values())
    assert (out / "told" / "report.json").stat().st_mtime_ns == before
