"""What people send with the Temporal command or its UI, and what these tell them of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.workflow import _Definition

from longtake import Longtake
from longtake.kinds import KINDS
from longtake.listing import JobFilter, list_jobs
from tests.patience import WAIT_S, becomes
from tests.workflows.pretend import temporal, working
from workers.registry import workflows
from workflows.batch import BatchWorkflow
from workflows.pipeline import PipelineWorkflow

SITE = {"pipeline": "archive", "inputs": {"film": "/in.mov"}, "output": "/out"}


def test_every_signal_and_query_of_a_job_says_what_it_takes() -> None:
    definitions = [_Definition.must_from_class(each) for each in workflows()]
    known = {definition.name: definition for definition in definitions}
    for kind in KINDS.values():
        job = known[kind.__name__]
        said = {name: signal.description for name, signal in job.signals.items()}
        said |= {name: query.description for name, query in job.queries.items()}
        for name, words in said.items():
            assert words, f"{job.name}.{name}"
            assert "No input." in words or "Input: " in words


async def test_temporal_shows_what_signals_want(client: Client) -> None:
    async with working(client, [PipelineWorkflow], {}):
        await client.start_workflow("Pipeline", SITE, id="site", task_queue="longtake")
        words = ("workflow", "metadata", "--workflow-id", "site", "--output", "json")
        shown = json.loads(await temporal(client, *words))
    definition = shown["queryResult"][0]["definition"]
    signals = {each["name"]: each for each in definition["signalDefinitions"]}
    assert set(signals) == {"pause", "resume", "cancel", "set_priority", "approve"}
    assert signals["approve"]["description"].endswith('Input: its name, as "publish".')


INPUT = ("--input", json.dumps(SITE))


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        ("Pipeline", (), "Pipeline takes one argument"),
        ("Pipeline", (*INPUT, *INPUT), "Pipeline takes one argument"),
        ("Pipeline", ("--input", "5"), "Input should be an object"),
        ("Pipeline", ("--input", '{"inputs": {}}'), "pipeline: Field required; output: Field"),
        ("Batch", ("--input", '{"input": 3, "output": "/out"}'), "input: Input should be a valid"),
        ("Pipeline", ("--input", "x", "--input-meta", "encoding=binary/plain"), "no JSON object"),
        ("Pipeline", ("--input", "x", "--input-meta", "encoding=zip"), "payload encoding zip"),
    ],
)
async def test_a_start_with_what_is_no_job_fails_and_is_found_by_its_error(
    client: Client, kind: str, given: tuple[str, ...], why: str
) -> None:
    async with working(client, [PipelineWorkflow, BatchWorkflow], {}):
        start = ("workflow", "start", "--type", kind, "--workflow-id", "unfit")
        await temporal(client, *start, "--task-queue", "longtake", *given)
        with pytest.raises(WorkflowFailureError) as failed:
            async with asyncio.timeout(WAIT_S):
                await client.get_workflow_handle("unfit").result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "InvalidJob"
    assert why in failed.value.cause.message

    async def found() -> list[str]:
        jobs = await list_jobs(client, None, JobFilter(error="InvalidJob"), 10)
        return [job.error.message for job in jobs if job.error]

    await becomes(found, [failed.value.cause.message])
    assert (await Longtake(client).get("unfit")).state == "failed"
