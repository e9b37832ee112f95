"""Jobs that a job runs, on a real Temporal server with steps that only pretend."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from longtake import Longtake, waiting
from longtake.contracts import JobResult
from longtake.contracts.command import Command
from longtake.contracts.result import Progress
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
from longtake.identity import content_hash
from longtake.kinds import to_json
from longtake.runs import find_run
from tests.patience import WAIT_S, becomes, until
from tests.workflows.pretend import (
    Steps,
    admission,
    encoded,
    no_source,
    not_published,
    temporal,
    wait_while,
    working,
)
from workflows.command import CommandWorkflow
from workflows.control import JobWorkflow

CHILD = Command(input="/in.mov", output="/out.mp4", arguments=("-vf", "hflip"))


@workflow.defn(name="Parent")
class Parent(JobWorkflow):
    """Runs two jobs, one behind the other."""

    @workflow.run
    async def run(self, job: Command) -> JobResult:
        return await self.run_job(job, "parent", self._both(job))

    async def _both(self, job: Command) -> JobResult:
        mine = workflow.info().workflow_id
        for number in range(2):
            child = CHILD.model_copy(update={"group": job.group})
            result = await self.child(child, f"{mine}.{number}")
        return result.model_copy(update={"job_id": mine})


class Pretend:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.fails = False
        self.priorities: list[int | None] = []
        self.running = 0

    @activity.defn(name=ADMIT_COMMAND.name)
    async def admit(self, job: Command) -> CommandAdmission:
        return admission(no_source(job.input), *job.arguments)

    @activity.defn(name=RUN_COMMAND.name)
    async def run(self, admitted: CommandAdmission) -> EncodeDone:
        self.priorities.append(activity.info().priority.priority_key)
        self.running += 1
        try:
            await wait_while(lambda: not self.open.is_set())
        finally:
            self.running -= 1
        if self.fails:
            raise ApplicationError("not a film", type="InputCorrupt", non_retryable=True)
        return encoded()

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        return not_published(CHILD.output)

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        return Nothing()


@pytest.fixture
async def pretend(client: Client) -> AsyncIterator[Pretend]:
    steps = Pretend()
    activities: Steps = [steps.admit, steps.run, steps.publish, steps.conclude]
    queues = ("longtake-io", "longtake-cpu", "longtake-cpu-large")
    async with working(client, [Parent, CommandWorkflow], dict.fromkeys(queues, activities)):
        yield steps
        steps.open.set()


async def begin(client: Client, **asked: Any) -> WorkflowHandle[Any, Any]:
    job = {"input": "/in.mov", "output": "/out.mp4", "arguments": [], "tenant": "acme", **asked}
    return await client.start_workflow(
        "Parent", job, id=f"parent-{uuid.uuid4()}", task_queue="longtake"
    )


def progress_of(client: Client, job_id: str) -> Callable[[], Awaitable[Progress]]:
    handle = client.get_workflow_handle(job_id)

    async def ask() -> Progress:
        return Progress.model_validate(await handle.query("progress"))

    return ask


async def test_a_child_stands_in_temporal_as_if_a_client_had_started_it(
    client: Client, pretend: Pretend
) -> None:
    pretend.open.set()
    handle = await begin(client)
    assert JobResult.model_validate(await handle.result()).state == "succeeded"
    run = await find_run(client, f"{handle.id}.1")
    assert run is not None
    assert run.memo["content"] == content_hash(CHILD)
    assert (run.memo["job"]["id"], run.memo["job"]["tenant"]) == (run.job_id, "acme")
    assert run.attributes["LongtakeKind"] == "command"
    child = await client.get_workflow_handle(run.job_id).describe()
    assert await child.static_summary() == "command in.mov → out.mp4"
    longtake = Longtake(client)
    assert [job.job_id for job in await longtake.list(kind="command")] == []

    async def children() -> set[tuple[str, str | None]]:
        return {(job.job_id, job.parent) for job in await longtake.list(parent=handle.id)}

    both: set[tuple[str, str | None]] = {(f"{handle.id}.{number}", handle.id) for number in (0, 1)}
    await becomes(children, both)


async def test_pause_resume_and_priority_reach_the_child(client: Client, pretend: Pretend) -> None:
    handle = await begin(client)
    ask = progress_of(client, f"{handle.id}.0")

    async def is_running() -> bool:
        return pretend.running == 1

    async def is_paused() -> bool:
        return (await ask()).state == "paused" and pretend.running == 0

    async def knows_its_priority() -> bool:
        history = await client.get_workflow_handle(f"{handle.id}.0").fetch_history()
        told = [event.workflow_execution_signaled_event_attributes for event in history.events]
        return "set_priority" in {signal.signal_name for signal in told}

    await until(is_running)
    await handle.signal("pause")
    await until(is_paused)
    await handle.signal("set_priority", 1)
    await until(knows_its_priority)  # Temporal keeps no order among signals of a workflow
    await handle.signal("resume")
    await until(is_running)
    pretend.open.set()
    await handle.result()
    assert pretend.priorities == [3, 1, 1], "the first child's step, begun again, and the second's"


async def test_a_child_fails_its_parent_in_longtakes_words(
    client: Client, pretend: Pretend
) -> None:
    pretend.fails = True
    pretend.open.set()
    handle = await begin(client)
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == ("InputCorrupt", "not a film")

    async def is_listed() -> bool:
        failed = await Longtake(client).list(state="failed", error="InputCorrupt")
        return [each.job_id for each in failed] == [handle.id]

    await until(is_listed)  # Temporal's list follows the end of a job, it is not part of it


async def test_a_cancelled_parent_waits_for_its_child(client: Client, pretend: Pretend) -> None:
    handle = await begin(client)

    async def is_running() -> bool:
        return pretend.running == 1

    await until(is_running)
    await handle.signal("cancel", "enough")
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "JobCanceled"
    assert pretend.running == 0
    child = await find_run(client, f"{handle.id}.0")
    assert child is not None
    assert child.state == "canceled"


async def test_a_child_that_is_cancelled_alone_fails_its_parent(
    client: Client, pretend: Pretend
) -> None:
    handle = await begin(client)

    async def is_running() -> bool:
        return pretend.running == 1

    await until(is_running)
    await client.get_workflow_handle(f"{handle.id}.0").cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "JobCanceled"
    assert f"{handle.id}.0" in caught.value.cause.message


async def test_a_parent_tells_which_worker_its_child_waits_for(
    client: Client, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SETTLING", timedelta(0))
    stuck, works = await begin(client, group="nobody"), await begin(client)

    async def told(handle: WorkflowHandle[Any, Any]) -> str | None:
        return (await Longtake(client).get(handle.id)).progress.waiting_for

    async def is_told() -> bool:
        # Before, it may wait a moment for the step that looks at its source.
        return await told(stuck) == (
            "a cpu worker of group nobody: start one with "
            f"`longtake worker --role cpu --group nobody` (for {stuck.id}.0)"
        )

    async def is_running() -> bool:
        return pretend.running == 1

    await until(is_told)
    await until(is_running)
    assert await told(works) is None


async def test_a_cancel_that_comes_before_the_job_begins_counts(
    client: Client, pretend: Pretend
) -> None:
    job = to_json(CHILD)
    handle = await client.start_workflow(
        *("Command", job),
        id="never",
        task_queue="longtake",
        start_signal="cancel",
        start_signal_args=["nobody wants it"],
    )
    pretend.open.set()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert (caught.value.cause.type, caught.value.cause.message) == (
        "JobCanceled",
        "nobody wants it",
    )
    assert pretend.priorities == [], "no step has run"


@pytest.mark.parametrize(
    ("reason", "words"),
    [(42, "42"), ({"by": "é"}, '{"by": "é"}'), (None, "asked by a signal")],
    ids=str,
)
async def test_a_cancel_counts_whatever_its_reason_is(
    client: Client, pretend: Pretend, reason: Any, words: str
) -> None:
    handle = await begin(client)
    await until(lambda: pretend.running)
    await handle.signal("cancel", reason)
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert (caught.value.cause.type, caught.value.cause.message) == ("JobCanceled", words)


@pytest.mark.parametrize("typed", ["1", '"1"', "1.0"])
async def test_a_priority_counts_in_each_spelling(
    client: Client, pretend: Pretend, typed: str
) -> None:
    handle = await begin(client)
    await until(lambda: pretend.running)
    words = ("--workflow-id", handle.id, "--name", "set_priority", "--input", typed)
    await temporal(client, "workflow", "signal", *words)
    pretend.open.set()
    async with asyncio.timeout(WAIT_S):
        await handle.result()
    assert pretend.priorities == [3, 1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("set_priority", []),
        ("set_priority", [1, 2]),
        ("set_priority", ["soon"]),
        ("cancel", [1, 2]),
    ],
    ids=str,
)
async def test_a_signal_that_does_not_fit_is_passed_over(
    client: Client, pretend: Pretend, name: str, told: list[Any]
) -> None:
    handle = await begin(client)
    await handle.signal(name, args=told)
    pretend.open.set()
    async with asyncio.timeout(WAIT_S):
        assert JobResult.model_validate(await handle.result()).state == "succeeded"
    assert pretend.priorities == [3, 3]
