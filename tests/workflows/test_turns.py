"""Whose step comes next where many jobs wait, on a real Temporal server with pretended steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longtake.contracts.command import Command
from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND, CommandAdmission
from longtake.contracts.steps.common import (
    CONCLUDE,
    PUBLISH,
    EncodeDone,
    JobRecord,
    Nothing,
    Published,
    PublishRequest,
)
from longtake.runs import find_run
from tests.dev_server import dev_server
from tests.patience import WAIT_S
from tests.workflows.pretend import admission, encoded, no_source, not_published
from workers.connection import CONVERTER
from workers.server import DYNAMIC_CONFIG
from workflows.command import CommandWorkflow

JOBS = ("a", "b", "c", "d")


class Desk:
    """The steps of all jobs; notes which are taken, one after the other."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.taken: list[str] = []

    def _note(self) -> None:
        self.taken.append(activity.info().activity_type)

    @activity.defn(name=ADMIT_COMMAND.name)
    async def admit(self, job: Command) -> CommandAdmission:
        self._note()
        if len(self.taken) == 2:  # the first job's next step, and others' first steps, wait
            await stands_in_line(self.client, PUBLISH.name, *JOBS)
        return admission(no_source(job.input), *job.arguments)

    @activity.defn(name=RUN_COMMAND.name)
    async def run(self, admitted: CommandAdmission) -> EncodeDone:
        return encoded()

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        self._note()
        return not_published("/out.mp4")

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        self._note()
        return Nothing()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with dev_server(data_converter=CONVERTER, dynamic_config=DYNAMIC_CONFIG) as client:
        yield client


async def test_what_is_begun_is_finished_before_the_next_is_begun(client: Client) -> None:
    desk = Desk(client)
    handles = [await begin(client, job_id) for job_id in JOBS]
    decides = Worker(
        client,
        task_queue="longtake",
        workflows=[CommandWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    encodes = Worker(client, task_queue="longtake-cpu", activities=[desk.run])
    looks = Worker(
        client,
        task_queue="longtake-io",
        activities=[desk.admit, desk.publish, desk.conclude],
        max_concurrent_activities=1,
    )
    async with decides, asyncio.timeout(WAIT_S):
        await asyncio.gather(*(stands_in_line(client, ADMIT_COMMAND.name, job) for job in JOBS))
        async with encodes, looks:
            await asyncio.gather(*(handle.result() for handle in handles))
    # First come, first served would admit all of them before it publishes the first.
    assert desk.taken[:3] == [ADMIT_COMMAND.name, ADMIT_COMMAND.name, PUBLISH.name]
    assert len(desk.taken) == 3 * len(JOBS)


async def begin(client: Client, job_id: str) -> WorkflowHandle[Any, Any]:
    job = {"input": "/in.mov", "output": f"/{job_id}.mp4", "arguments": []}
    return await client.start_workflow("Command", job, id=job_id, task_queue="longtake")


async def stands_in_line(client: Client, step: str, *job_ids: str) -> None:
    """Return when such a step of one of these jobs waits for a worker."""
    while True:
        for job_id in job_ids:
            run = await find_run(client, job_id)
            if run and any(each.name == step and not each.started for each in run.steps):
                return
        await asyncio.sleep(0.05)
