"""What people send with the Temporal command or its UI, and what these tell them of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.workflow import _Definition

from longtake.kinds import KINDS
from tests.patience import WAIT_S, becomes
from tests.workflows.pretend import temporal, working
from workers.registry import workflows
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


@pytest.mark.parametrize("given", [0, 2])
async def test_a_start_with_other_than_one_argument_fails(client: Client, given: int) -> None:
    async with working(client, [PipelineWorkflow], {}):
        start = ("workflow", "start", "--type", "Pipeline", "--workflow-id", f"with-{given}")
        words = (*start, "--task-queue", "longtake", *given * ("--input", json.dumps(SITE)))
        await temporal(client, *words)
        with pytest.raises(WorkflowFailureError) as failed:
            async with asyncio.timeout(WAIT_S):
                await client.get_workflow_handle(f"with-{given}").result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "InvalidJob"
    assert "Pipeline takes one argument" in failed.value.cause.message

    async def found() -> list[str]:
        failed = 'ExecutionStatus = "Failed" AND LongtakeError = "InvalidJob"'
        return [each.id async for each in client.list_workflows(failed)]

    await becomes(found, [f"with-{given}"])
