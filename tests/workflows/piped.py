"""Pipelines on a real Temporal server. Looking, noting and writing are real; the jobs that steps
run only pretend."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import asyncio
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

from activities import batch as batches
from activities import pipeline as steps
from activities.conclude import conclude
from longtake import Longtake
from longtake.contracts import JobResult
from longtake.contracts.command import Command
from longtake.contracts.pipeline import Facts, StepStatus
from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND, CommandAdmission
from longtake.contracts.steps.common import (
    PUBLISH,
    EncodeDone,
    Published,
    PublishRequest,
)
from longtake.contracts.steps.pipeline import FIND_FACTS, FactsAsked
from tests.patience import until
from tests.workflows.pretend import (
    Steps,
    admission,
    encoded,
    published,
    source_of,
    wait_while,
    working,
)
from workflows.batch import BatchWorkflow
from workflows.command import CommandWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.webhooks import WebhooksWorkflow


@dataclass
class Pretend:
    """Commands copy their input, and wait or fail where a test says so; by their output's name."""

    begun: list[str] = field(default_factory=list)
    now: set[str] = field(default_factory=set)
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
        try:
            await asyncio.sleep(0.1)
            await wait_while(lambda: name in self.held, {"fraction": 0.5})
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
        *(batches.plan, batches.open_page, batches.note_page, batches.write_report),
    ]
    queues: dict[str, Steps] = {"longtake-io": io, "longtake-cpu": [jobs.run]}
    kinds = [BatchWorkflow, PipelineWorkflow, CommandWorkflow, WebhooksWorkflow]
    async with working(client, kinds, queues):
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
        job_id = fields.pop("id", f"pipeline-{uuid.uuid4()}")
        job = {
            "kind": "pipeline",
            "pipeline": document | ({"on_cancel": on_cancel} if on_cancel else {}),
            "inputs": {"film": str(self.folder / "film.mp4")},
            "output": str(self.folder / "out"),
            **fields,
        }
        return await self.client.start_workflow("Pipeline", job, id=job_id, task_queue="longtake")

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


def made_eight_days_ago(home: Path) -> list[Path]:
    """What pipelines keep of their steps, grown old."""
    kept = [path for path in (home / "work" / "pipelines").rglob("*") if path.is_file()]
    for path in kept:
        at_ns = path.stat().st_mtime_ns - 8 * 86_400_000_000_000
        os.utime(path, ns=(at_ns, at_ns))
    return kept


async def until_now(pretend: Pretend, *names: str) -> None:
    async def runs() -> bool:
        return pretend.now == set(names)

    await until(runs)
