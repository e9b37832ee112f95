"""The history of a batch of fifty thousand items: as small in its last run as in its first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client

from longtake.contracts import Batch, JobResult
from longtake.contracts.batch import BatchItem
from longtake.contracts.steps.batch import (
    ITEMS_A_RUN,
    NOTE_PAGE,
    OPEN_PAGE,
    PAGE_ITEMS,
    WRITE_REPORT,
    BatchPlan,
    Page,
    PageAsked,
    PageDone,
    PageItem,
    ReportAsked,
    SoFar,
)
from longtake.contracts.steps.common import CONCLUDE, JobRecord, Nothing, Published
from tests.workflows.pretend import not_published, working
from workflows.batch import BatchWorkflow

ITEMS = 50_000
WARNS_AT_EVENTS, WARNS_AT_BYTES = 10_240, 10 << 20
"""Where Temporal begins to warn of a history (limit.historyCount.warn, limit.historySize.warn); it
ends a workflow at five times that."""
RESULT = {"outputs": "o" * 4_000}
"""As much as a long result of a transcode says."""


@workflow.defn(name="Command", sandboxed=False)
class AtOnce:
    """An item that costs nothing."""

    @workflow.run
    async def run(self, job: dict[str, Any]) -> JobResult:
        return JobResult(job_id=job["id"], state="succeeded", decisions=RESULT)


class Pages:
    """A manifest of any length, and nothing kept."""

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.reported: tuple[int, ...] = ()

    @activity.defn(name=OPEN_PAGE.name)
    async def open(self, asked: PageAsked) -> Page:
        numbers = range(asked.first, asked.first + asked.items)
        return Page(items=tuple(map(_item, numbers)))

    @activity.defn(name=NOTE_PAGE.name)
    async def note(self, done: PageDone) -> Nothing:
        self.noted += [result.number for result in done.results]
        return Nothing()

    @activity.defn(name=WRITE_REPORT.name)
    async def report(self, asked: ReportAsked) -> Published:
        self.reported = asked.pages
        return not_published(asked.output)

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        return Nothing()


def _item(number: int) -> PageItem:
    place = f"/a/folder/whose/name/is/as/long/as/they/are/{number:08}.mp4"
    item = BatchItem(number=number, input=f"/in{place}", output=f"/out{place}")
    return PageItem(item=item, job_id=f"item-{number}")


@dataclass(frozen=True)
class Run:
    """A run of the workflow."""

    events: int
    bytes: int
    begun_with: int
    """Bytes of what it was started with by the run before."""


async def last_runs(client: Client, name: str, items: int) -> list[Run]:
    """The last two runs of a batch, from where the one before them left it."""
    begun = items - 2 * ITEMS_A_RUN
    job = Batch(
        input="/in/**/*.mp4",
        output="/out",
        job={"kind": "command", "arguments": ["-c", "copy"]},
        max_parallel=40,
    )
    so_far = SoFar(
        batch=job,
        plan=BatchPlan(manifest_key=f"manifest-{'0' * 64}", items=items),
        next=begun,
        pages=tuple(range(0, begun, PAGE_ITEMS)),
    )
    handle = await client.start_workflow("Batch", so_far, id=name, task_queue="longtake")
    assert JobResult.model_validate(await handle.result()).state == "succeeded"
    runs = [run async for run in client.list_workflows(f"WorkflowId = '{name}'")]
    return [await _measured(client, name, run.run_id) for run in runs]


async def _measured(client: Client, name: str, run_id: str) -> Run:
    handle = client.get_workflow_handle(name, run_id=run_id)
    info = (await handle.describe()).raw_description.workflow_execution_info
    history = await handle.fetch_history()
    begun = history.events[0].workflow_execution_started_event_attributes
    return Run(info.history_length, info.history_size_bytes, begun.input.ByteSize())


@pytest.mark.slow
async def test_fifty_thousand_items_make_no_run_larger_than_the_first(client: Client) -> None:
    pages = Pages()
    steps: Mapping[str, Any] = {
        "longtake-io": [pages.open, pages.note, pages.report, pages.conclude]
    }
    async with working(client, [BatchWorkflow, AtOnce], steps):
        first = await last_runs(client, "short", 2 * ITEMS_A_RUN)
        last = await last_runs(client, "long", ITEMS)
    assert len(first) == len(last) == 2
    assert pages.reported == tuple(range(0, ITEMS, PAGE_ITEMS))
    assert sorted(pages.noted[2 * ITEMS_A_RUN :]) == list(range(ITEMS - 2 * ITEMS_A_RUN, ITEMS))
    for run in (*first, *last):
        assert run.events < WARNS_AT_EVENTS / 2
        assert run.bytes < WARNS_AT_BYTES / 2
    # A number for each page of fifty: of all that a run is begun with, only that grows.
    assert max(run.begun_with for run in last) < 8 * ITEMS / PAGE_ITEMS + 2_000
    assert max(run.bytes for run in last) < max(run.bytes for run in first) + 50_000
