"""A batch on a real Temporal server, over many runs of its workflow; the items only pretend."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError

from activities import batch as steps
from activities.conclude import conclude
from longtake import Longtake
from longtake.contracts import Batch, ItemResult, JobResult
from longtake.contracts.command import Command
from longtake.contracts.result import Progress
from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND, CommandAdmission
from longtake.contracts.steps.common import (
    PUBLISH,
    EncodeDone,
    Published,
    PublishRequest,
)
from longtake.kinds import to_json
from longtake.outcome import outcome
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

ITEMS_A_RUN = 6
ITEMS = 20
PARALLEL = 3
BAD = (3, 14)


@dataclass
class Pretend:
    """Steps of commands that copy their input, and fail for inputs that say so."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    ran: collections.Counter[str] = field(default_factory=collections.Counter)
    now: int = 0
    most: int = 0

    @activity.defn(name=ADMIT_COMMAND.name)
    async def admit(self, job: Command) -> CommandAdmission:
        return admission(source_of(job.input), *job.arguments)

    @activity.defn(name=RUN_COMMAND.name)
    async def run(self, admitted: CommandAdmission) -> EncodeDone:
        path = Path(admitted.source.uri)
        self.ran[path.name] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await wait_while(lambda: not self.open.is_set())
        finally:
            self.now -= 1
        if path.read_text() == "bad":
            raise ApplicationError("not a film", type="InputCorrupt", non_retryable=True)
        return encoded(path.name)

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        (uri,) = request.pieces[0].uris
        Path(uri).write_bytes(Path(request.source.uri).read_bytes())
        return published(uri)


@pytest.fixture
async def pretend(client: Client, home: Path) -> AsyncIterator[Pretend]:
    items = Pretend()
    io: Steps = [
        *(steps.plan, steps.open_page, steps.note_page, steps.write_report, conclude),
        *(items.admit, items.publish),
    ]
    queues: dict[str, Steps] = {"longtake-io": io, "longtake-cpu": [items.run]}
    async with working(client, [BatchWorkflow, CommandWorkflow], queues):
        yield items
        items.open.set()


@pytest.fixture
def job(tmp_path: Path) -> Batch:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(ITEMS):
        # Some take what the last is called for the end of a line.
        name = f"{number:02}.mp4" if number < ITEMS - 1 else f"{number:02}\u2028.mp4"
        (folder / name).write_text("bad" if number in BAD else f"film {number}")
    return Batch(
        input=f"{folder}/*.mp4",
        output=str(tmp_path / "out"),
        job={"kind": "command", "arguments": ["-c", "copy"]},
        max_parallel=PARALLEL,
    )


async def begin(client: Client, job: Batch) -> WorkflowHandle[Any, Any]:
    """With borders far closer together than they are."""
    document = {"batch": to_json(job), "items_a_run": ITEMS_A_RUN}
    return await client.start_workflow("Batch", document, id="batch", task_queue="longtake")


async def failed(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


def report(job: Batch) -> list[ItemResult]:
    lines = Path(job.output, "batch.jsonl").read_bytes().splitlines()
    return [ItemResult.model_validate_json(line) for line in lines]


async def progress(handle: WorkflowHandle[Any, Any]) -> Progress:
    return Progress.model_validate(await handle.query("progress"))


async def test_an_id_that_no_report_can_have_is_refused_before_anything_runs(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    pretend.open.set()
    asked = client.start_workflow("Batch", job, id="orders/7", task_queue="longtake")
    error = await failed(await asked)
    assert error.type == "InvalidJob"
    assert "'orders/7' will not do; use letters" in error.message
    assert not pretend.ran
    assert not Path(job.output).exists()


async def test_each_item_runs_once_and_is_in_the_report_once_over_many_runs(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    pretend.open.set()
    handle = await begin(client, job)
    error = await failed(handle)
    assert error.type == "ItemsFailed"
    assert f"2 of {ITEMS} items failed" in error.message
    assert "batch.jsonl" in error.message

    ended = await outcome(client, "batch")
    assert ended.state == "failed"
    assert [output.uri for output in ended.outputs] == [f"{job.output}/batch.jsonl"]

    results = report(job)
    assert [result.number for result in results] == list(range(ITEMS))
    assert set(pretend.ran.values()) == {1}
    assert len(pretend.ran) == ITEMS
    assert tuple(r.number for r in results if r.state == "failed") == BAD
    assert {r.error.type for r in results if r.error} == {"InputCorrupt"}
    for result in results:
        assert Path(result.output).is_file() == (result.state == "succeeded")

    async def all_closed() -> list[WorkflowExecution]:
        runs = [run async for run in client.list_workflows("WorkflowId = 'batch'")]
        listed = len(runs) >= -(-ITEMS // ITEMS_A_RUN)
        return runs if listed and all(run.close_time for run in runs) else []

    runs = await until(all_closed)
    assert len(runs) == -(-ITEMS // ITEMS_A_RUN)
    assert max(run.history_length for run in runs) < 40 * ITEMS_A_RUN


async def test_the_same_again_runs_only_what_is_new_changed_or_failed(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    pretend.open.set()
    await failed(await begin(client, job))
    folder = Path(job.input).parent
    for number in (*BAD, 5):
        (folder / f"{number:02}.mp4").write_text("a good film by now")
    (folder / "new.mp4").write_text("a new film")
    Path(job.output, "07.mp4").unlink()
    pretend.ran.clear()

    mended = job.model_copy(update={"retry_failed": True})
    result = JobResult.model_validate(await (await begin(client, mended)).result())
    assert set(pretend.ran) == {f"{number:02}.mp4" for number in BAD}
    assert result.stats.chunks == ITEMS + 1
    assert result.stats.chunks_reused == ITEMS - len(BAD)
    assert [r.input for r in report(job) if r.state == "left"] == [str(folder / "new.mp4")]

    pretend.ran.clear()
    await (await begin(client, job)).result()
    assert dict(pretend.ran) == {"05.mp4": 1, "07.mp4": 1, "new.mp4": 1}
    assert {r.state for r in report(job)} == {"succeeded"}
    assert sum(r.ran for r in report(job)) == 3


async def test_a_pause_holds_over_the_border_and_nothing_is_lost(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    handle = await begin(client, job)

    async def is_full() -> bool:
        return pretend.now == PARALLEL

    async def is_empty() -> bool:
        return pretend.now == 0

    await until(is_full)
    await handle.signal("pause")
    await until(is_empty)
    pretend.open.set()
    begun = sum(pretend.ran.values())
    await asyncio.sleep(1)
    assert sum(pretend.ran.values()) == begun == PARALLEL
    assert (await progress(handle)).state == "paused"
    await handle.signal("resume")
    await failed(handle)
    assert [result.number for result in report(job)] == list(range(ITEMS))
    assert pretend.most == PARALLEL


async def test_progress_tells_of_all_items_in_every_run(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    pretend.open.set()
    handle = await begin(client, job)
    seen: list[Progress] = []

    async def is_over() -> bool:
        seen.append(await progress(handle))
        return seen[-1].chunks_done == ITEMS

    await until(is_over)
    told = [each for each in seen if each.chunks_total]
    assert {each.chunks_total for each in told} == {ITEMS}
    assert [each.chunks_done for each in told] == sorted(each.chunks_done for each in told)
    assert any(each.eta_s for each in told)
    assert told[-1].failed == len(BAD)
    assert told[-1].counts == "items"
    await failed(handle)


async def test_who_follows_a_batch_sees_how_it_ended(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    handle = await begin(client, job)
    await until(lambda: pretend.now == PARALLEL)
    following = Longtake(client).progress("batch")
    assert (await anext(following)).chunks_done == 0
    pretend.open.set()
    await failed(handle)
    *_, last = [each async for each in following]
    assert (last.state, last.chunks_done, last.failed) == ("failed", ITEMS, len(BAD))


async def until_half_done(handle: WorkflowHandle[Any, Any], pretend: Pretend) -> None:
    """In the second run of the workflow, with a full window that does not move."""
    pretend.open.set()

    async def is_far() -> bool:
        return (await progress(handle)).chunks_done > ITEMS_A_RUN

    await until(is_far)
    pretend.open.clear()
    await until(lambda: pretend.now == PARALLEL)


@pytest.mark.parametrize("by", ["signal", "Temporal"])
async def test_a_cancel_ends_every_item_and_the_report_tells_of_each(
    client: Client, pretend: Pretend, job: Batch, by: str
) -> None:
    handle = await begin(client, job)
    await until_half_done(handle, pretend)
    await (handle.signal("cancel", "enough") if by == "signal" else handle.cancel(reason="enough"))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    status = await Longtake(client).get("batch")
    assert status.state == "canceled"
    assert status.error is not None
    assert status.error.message.endswith(f"enough; {job.output}/batch.jsonl tells of each item")
    assert pretend.now == 0
    running = "ExecutionStatus = 'Running'"

    async def nobody_runs() -> bool:
        return [run.id async for run in client.list_workflows(running)] == []

    await until(nobody_runs)
    results = report(job)
    assert [result.number for result in results] == list(range(ITEMS))
    done = {Path(result.output).name for result in results if result.state == "succeeded"}
    assert done == {path.name for path in Path(job.output).glob("*.mp4")}
    assert len(done) >= ITEMS_A_RUN - 1
    ended = [result for result in results if result.state == "canceled"]
    assert len(ended) == PARALLEL
    assert {(r.ran, r.error.message if r.error else "") for r in ended} == {
        (True, "cancelled with its batch")
    }
    left = [result for result in results if result.state == "left"]
    assert len(left) == ITEMS - sum(pretend.ran.values())
    assert not any(result.ran for result in left)
    assert all(result.job_id for result in left)

    pretend.ran.clear()
    pretend.open.set()
    await failed(await begin(client, job))
    assert not done & {*pretend.ran}, "what was done before the cancel is not done again"
    assert [result.number for result in report(job)] == list(range(ITEMS))
    assert {result.job_id for result in left} < {result.job_id for result in report(job)}


async def test_a_batch_past_its_deadline_has_a_report_too(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    handle = await begin(client, job.model_copy(update={"deadline": soon}))
    error = await failed(handle)
    assert error.type == "DeadlineExceeded"
    assert error.message.endswith("batch.jsonl tells of each item")
    states = [result.state for result in report(job)]
    assert states == ["canceled"] * PARALLEL + ["left"] * (ITEMS - PARALLEL)


async def test_a_batch_that_is_cancelled_before_it_begins_leaves_nothing(
    client: Client, pretend: Pretend, job: Batch
) -> None:
    handle = await begin(client, job)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert not Path(job.output).exists()
