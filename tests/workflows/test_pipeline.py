"""Pipelines on a real Temporal server. Looking, noting and writing are real; the jobs that steps
run only pretend."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities import pipeline as steps
from activities.conclude import conclude
from longtake import Longtake
from longtake.contracts import JobResult
from longtake.contracts.command import Command
from longtake.contracts.pipeline import Facts, StepStatus
from longtake.contracts.result import Progress
from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND, CommandAdmission
from longtake.contracts.steps.common import (
    PUBLISH,
    EncodeDone,
    Published,
    PublishRequest,
)
from longtake.contracts.steps.pipeline import FIND_FACTS, FactsAsked
from longtake.errors import InvalidJob, StorageUnavailable
from longtake.runs import find_run
from storage.local import LocalStorage, sha256_of
from tests.workflows.pretend import (
    Steps,
    admission,
    encoded,
    published,
    source_of,
    until,
    wait_while,
    working,
)
from workflows.command import CommandWorkflow
from workflows.pipeline import PipelineWorkflow


@dataclass
class Pretend:
    """Commands copy their input, and wait or fail where a test says so; by their output's name."""

    begun: list[str] = field(default_factory=list)
    now: set[str] = field(default_factory=set)
    together: set[frozenset[str]] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    priorities: dict[str, int | None] = field(default_factory=dict)

    @activity.defn(name=ADMIT_COMMAND.name)
    async def admit(self, job: Command) -> CommandAdmission:
        return admission(source_of(job.input), job.output)

    @activity.defn(name=RUN_COMMAND.name)
    async def run(self, admitted: CommandAdmission) -> EncodeDone:
        name = Path(admitted.writing[0]).stem
        self.begun.append(name)
        self.priorities[name] = activity.info().priority.priority_key
        self.now.add(name)
        self.together.add(frozenset(self.now))
        try:
            await asyncio.sleep(0.1)
            await wait_while(lambda: name in self.held)
        finally:
            self.now.discard(name)
        if name in self.bad:
            raise ApplicationError("not a film", type="InputCorrupt", non_retryable=True)
        return encoded(name, cpu_s=1)

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        (uri,) = request.pieces[0].uris
        output = Path(uri)
        content = Path(request.source.uri).read_text()
        output.write_text(f"{content} {output.stem}")
        return published(uri)

    @activity.defn(name=FIND_FACTS.name)
    async def facts(self, asked: FactsAsked) -> Facts:
        return Facts(has_video=True, width=320, height=180, duration_s=1.0)


@pytest.fixture
async def pretend(client: Client, home: Path) -> AsyncIterator[Pretend]:
    jobs = Pretend()
    io: Steps = [
        *(steps.prepare_pipeline, steps.look_at_step, steps.note_step, steps.write_document),
        *(conclude, jobs.admit, jobs.publish, jobs.facts),
    ]
    queues: dict[str, Steps] = {"longtake-io": io, "longtake-cpu": [jobs.run]}
    async with working(client, [PipelineWorkflow, CommandWorkflow], queues):
        yield jobs
        jobs.held.clear()


def command(source: str, output: str, **fields: object) -> dict[str, object]:
    reference = {"from": source}
    named = {"kind": "command", "input": reference, "output": output, "arguments": ["-vf", "hflip"]}
    return {**named, **fields}


DIAMOND: dict[str, Any] = {
    "a": command("inputs.film", "a.mp4"),
    "b": command("a.video", "b.mp4"),
    "c": command("a.video", "c.mp4"),
    "d": command("b.video", "d.mp4", needs=["c"]),
}


class Pipelines:
    """Pipelines of one folder of a test."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.longtake = Longtake(client)
        (folder / "film.mp4").write_text("film")

    async def begin(
        self, steps: dict[str, Any], output: str | None = None, **fields: Any
    ) -> WorkflowHandle[Any, Any]:
        last = output or f"{next(reversed(steps))}.video"
        document = {
            "inputs": {"film": {"type": "video"}},
            "steps": steps,
            "outputs": {"last": {"from": last}},
        }
        on_cancel = fields.pop("on_cancel", None)
        job = {
            "kind": "pipeline",
            "pipeline": document | ({"on_cancel": on_cancel} if on_cancel else {}),
            "inputs": {"film": str(self.folder / "film.mp4")},
            "output": str(self.folder / "out"),
            **fields,
        }
        return await self.client.start_workflow(
            "Pipeline", job, id=f"pipeline-{uuid.uuid4()}", task_queue="longtake"
        )

    async def run(self, steps: dict[str, Any], **fields: Any) -> tuple[JobResult, dict[str, Any]]:
        handle = await self.begin(steps, **fields)
        result = JobResult.model_validate(await handle.result())
        return result, await self.states(handle)

    async def failure(self, handle: WorkflowHandle[Any, Any]) -> ApplicationError:
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
        return caught.value.cause

    async def states(self, handle: WorkflowHandle[Any, Any]) -> dict[str, StepStatus]:
        told = await handle.query("steps")
        statuses = [StepStatus.model_validate(each) for each in told]
        return {status.name: status for status in statuses}


@pytest.fixture
def pipelines(client: Client, pretend: Pretend, tmp_path: Path) -> Pipelines:
    return Pipelines(client, tmp_path)


async def until_now(pretend: Pretend, *names: str) -> None:
    async def runs() -> bool:
        return pretend.now == set(names)

    await until(runs)


async def test_steps_run_in_order_and_side_by_side(pipelines: Pipelines, pretend: Pretend) -> None:
    result, states = await pipelines.run(DIAMOND)
    assert (pretend.begun[0], pretend.begun[-1]) == ("a", "d")
    assert frozenset({"b", "c"}) in pretend.together
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


async def test_a_gate_waits_for_a_person(pipelines: Pipelines, pretend: Pretend) -> None:
    steps = {**DIAMOND, "d": command("b.video", "d.mp4", gate="approval")}
    handle = await pipelines.begin(steps)

    async def is_gated() -> bool:
        status = (await pipelines.states(handle)).get("d")
        return status is not None and status.state == "gated"

    await until(is_gated)
    await asyncio.sleep(0.3)
    assert "d" not in pretend.begun
    told = Progress.model_validate(await handle.query("progress"))
    assert told.waiting_for == f"approval of d: `longtake approve {handle.id} d`"
    with pytest.raises(InvalidJob, match="step e is not there; waiting for approval: d"):
        await pipelines.longtake.approve(handle.id, "e")
    await pipelines.longtake.approve(handle.id, "d")
    result = JobResult.model_validate(await handle.result())
    assert Path(result.outputs[0].uri).read_text() == "film a b d"


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
