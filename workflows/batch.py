"""The workflow `Batch`: a job for each of many files, a window of them at a time.

Its history stays small: after some hundred items it goes on as a new run, with an empty window.
Results are kept a page at a time in the work store, so that none is in no report, or twice.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

from workflows.children import failure_of
from workflows.control import LONGEST, JobWorkflow
from workflows.tasks import end, is_canceled, side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake import batches
    from longtake.contracts.batch import Batch, ItemResult, Tally
    from longtake.contracts.result import JobError, JobResult, Output, Progress, Stage, Stats
    from longtake.contracts.steps.batch import (
        NOTE_PAGE,
        OPEN_PAGE,
        PAGE_ITEMS,
        PLAN_BATCH,
        WRITE_REPORT,
        BatchPlan,
        Page,
        PageAsked,
        PageDone,
        PageItem,
        ReportAsked,
        SoFar,
    )
    from longtake.words import counted

_STAGES: dict[object, Stage] = {
    "normalize": "normalizing",
    "package": "packaging",
    "pipeline": "running",
    "transcribe": "transcribing",
}
_REPORT_WITHIN = timedelta(minutes=10)
"""After a cancel."""
_NONE = Batch(input="/", output="/")
"""Until the first argument is there."""


@workflow.defn(name="Batch")
class BatchWorkflow(JobWorkflow):
    """Many files, each by a job of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._so_far = SoFar(batch=_NONE)
        self._side_by_side = asyncio.Semaphore(1)
        self._parallel = 1
        self._waiting = 0
        self._pages: dict[int, Page] = {}
        """Opened, and their results not yet noted, by the number of the first item."""
        self._results: dict[int, ItemResult] = {}
        """Of items of this run, by number."""
        self._took_s: list[float] = []
        """Of the items that ended last, to tell how long the rest will take."""

    @workflow.query(description="How far the batch is. No input.")
    def progress(self) -> Progress:
        """How far the batch is, by items that are over."""
        told = super().progress()
        tally = self._so_far.tally
        eta_s = None
        if self._took_s:
            mean_s = sum(self._took_s) / len(self._took_s)
            eta_s = mean_s * max(self.total - self.done, 0) / self._parallel
        return told.model_copy(update={"failed": tally.failed, "eta_s": eta_s})

    @workflow.run
    async def run(self, asked: Batch | SoFar) -> JobResult:
        """Run a batch to its end, from its start or from where an earlier run left it."""
        so_far = asked if isinstance(asked, SoFar) else SoFar(batch=asked)
        self.began_at = so_far.began_at or workflow.now()
        self._so_far = so_far.model_copy(update={"began_at": self.began_at})
        self._priority = self._priority or so_far.priority  # the signal may have come first
        return await self.run_job(so_far.batch, "batch", self._batch(so_far.batch))

    async def _batch(self, job: Batch) -> JobResult:
        plan = self._so_far.plan or await self._plan(job)
        self.total = self.frames_total = plan.items
        self.done = self.frames_done = self._so_far.tally.items
        self.enter(_STAGES.get(job.job.get("kind"), "encoding"))
        try:
            await self._some(job, plan)
            if self._so_far.next < plan.items:
                # A new run is not paused, and a signal that comes now belongs to it.
                await workflow.wait_condition(lambda: not self._paused)
                so_far = self._so_far.model_copy(update={"priority": self._priority})
                workflow.continue_as_new(so_far)
            return await self._end(job, plan)
        except (ActivityError, ChildWorkflowError, asyncio.CancelledError):
            if is_canceled() and workflow.patched("a batch that is cancelled has a report"):
                # A task of its own: this one is canceled.
                await asyncio.ensure_future(self._end_canceled(job, plan))
            raise

    async def _plan(self, job: Batch) -> BatchPlan:
        self.enter("planning")
        plan = await self.step(PLAN_BATCH, job, f"find what {job.input} stands for")
        self._so_far = self._so_far.model_copy(update={"plan": plan})
        return plan

    async def _some(self, job: Batch, plan: BatchPlan) -> None:
        """As many items as one run of the workflow takes, page by page."""
        self._parallel = job.max_parallel
        self._side_by_side = asyncio.Semaphore(job.max_parallel)
        until = min(plan.items, self._so_far.next + self._so_far.items_a_run)
        pages: list[asyncio.Task[None]] = []
        try:
            while self._so_far.next < until:
                if workflow.info().is_continue_as_new_suggested() and pages:
                    break
                first = self._so_far.next
                page = await self._open(job, plan, first, until, anew=not pages)
                self._waiting += len(page.items)
                self._pages[first] = page
                pages.append(asyncio.ensure_future(self._page(job, first, page)))
                # The next page is opened in time: the window is never without items.
                await workflow.wait_condition(
                    lambda: self._waiting < job.max_parallel or bool(_failed(pages))
                )
                for failed in _failed(pages):
                    failed.result()
            await asyncio.gather(*pages)
        except (Exception, asyncio.CancelledError):
            await end(pages)
            raise

    async def _open(
        self, job: Batch, plan: BatchPlan, first: int, until: int, *, anew: bool
    ) -> Page:
        """The next page. `anew`: of this run; then the results of all before are kept young."""
        asked = PageAsked(
            batch=job,
            manifest_key=plan.manifest_key,
            first=first,
            items=min(PAGE_ITEMS, until - first),
            run=workflow.info().first_execution_run_id,
            pages=self._so_far.pages if anew else (),
        )
        words = f"look at items {first + 1} to {first + asked.items}"
        page = await self.step(OPEN_PAGE, asked, words)
        begun = {"next": first + len(page.items), "pages": (*self._so_far.pages, first)}
        self._so_far = self._so_far.model_copy(update=begun)
        return page

    async def _page(self, job: Batch, first: int, page: Page) -> None:
        await side_by_side(self._item(job, each) for each in page.items)
        await self._note(first, page)
        del self._pages[first]

    async def _note(self, first: int, page: Page, *, for_at_most: timedelta = LONGEST) -> None:
        results = (
            self._results.get(each.item.number)
            or each.result
            or batches.left(each.item, each.job_id)
            for each in page.items
        )
        noted = PageDone(
            run=workflow.info().first_execution_run_id, first=first, results=tuple(results)
        )
        words = f"note the results from item {first + 1} on"
        await self.step(NOTE_PAGE, noted, words, for_at_most=for_at_most)

    async def _item(self, job: Batch, each: PageItem) -> None:
        if each.result is not None:
            self._waiting -= 1
            self._count(each.result)
            return
        async with self._side_by_side:
            self._waiting -= 1
            began = workflow.now()
            result, stats = await self._ran(job, each)
            self._took_s = [*self._took_s[-49:], (workflow.now() - began).total_seconds()]
            self._count(result, stats)

    async def _ran(self, job: Batch, each: PageItem) -> tuple[ItemResult, Stats]:
        try:
            done = await self.child(batches.item_job(job, each.item), each.job_id)
        except ApplicationError as error:
            told = JobError(type=error.type or "LongtakeError", message=error.message)
            return batches.failed(each.item, each.job_id, told, ran=True), Stats()
        except ChildWorkflowError as error:  # the batch was cancelled, and waited for this item
            ended = failure_of(error)
            words = ended.message if ended.type != "JobCanceled" else "cancelled with its batch"
            told = JobError(type=ended.type or "LongtakeError", message=words)
            self._results[each.item.number] = batches.failed(each.item, each.job_id, told, ran=True)
            raise
        return batches.succeeded(each.item, each.job_id, done, ran=True), done.stats

    def _count(self, result: ItemResult, stats: Stats | None = None) -> None:
        self._results[result.number] = result
        before = self._so_far.tally
        succeeded = result.state == "succeeded"
        tally = Tally(
            succeeded=before.succeeded + succeeded,
            failed=before.failed + (result.state in ("failed", "canceled")),
            left=before.left + (result.state == "left"),
            done_before=before.done_before + (succeeded and not result.ran),
            stats=_sum(before.stats, stats) if stats else before.stats,
        )
        self._so_far = self._so_far.model_copy(update={"tally": tally})
        self.finished(1)

    async def _end(self, job: Batch, plan: BatchPlan) -> JobResult:
        self.enter("publishing")
        tally = self._so_far.tally
        asked = self._report(job)
        published = await self.step(
            WRITE_REPORT, asked, f"write {asked.output}", ends_the_job=not tally.failed
        )
        self.published = published.outputs
        if tally.failed:
            raise ApplicationError(
                f"{tally.failed} of {counted(plan.items, 'items')} failed, the others are done: "
                f"{asked.output} tells of each",
                type="ItemsFailed",
                non_retryable=True,
            )
        return self._succeeded(plan, tally, published.outputs)

    async def _end_canceled(self, job: Batch, plan: BatchPlan) -> None:
        """Tell in the report of all that is over, and of what is not; if nothing is begun, there
        is none. A cancel does not wait for it for ever."""
        if not self._so_far.pages:
            return
        self._paused = False
        reached = self._so_far.next
        left = PageAsked(
            batch=job,
            manifest_key=plan.manifest_key,
            first=reached,
            items=plan.items - reached,
        )
        asked = self._report(job, left if left.items else None)
        try:
            for first, page in self._pages.items():
                await self._note(first, page, for_at_most=_REPORT_WITHIN)
            words = f"write {asked.output}"
            published = await self.step(WRITE_REPORT, asked, words, for_at_most=_REPORT_WITHIN)
        except ActivityError as error:
            workflow.logger.warning("the report was not written: %s", error.cause)
            return
        self.published = published.outputs
        self.remains = f"{asked.output} tells of each item"

    def _report(self, job: Batch, left: PageAsked | None = None) -> ReportAsked:
        job_id = workflow.info().workflow_id
        return ReportAsked(
            job_id=job_id,
            run=workflow.info().first_execution_run_id,
            pages=self._so_far.pages,
            output=batches.report_uri(job, job_id),
            left=left,
        )

    def _succeeded(self, plan: BatchPlan, tally: Tally, outputs: tuple[Output, ...]) -> JobResult:
        assert self.began_at is not None
        took = workflow.now() - self.began_at
        told = {"items": f"{tally.succeeded} done, {tally.done_before} of them before"}
        if tally.left:
            told["left"] = f"{counted(tally.left, 'items')} never ran"
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=outputs,
            stats=tally.stats.model_copy(
                update={
                    "wall_s": round(took / timedelta(seconds=1), 3),
                    "chunks": plan.items,
                    "chunks_reused": tally.done_before,
                }
            ),
            decisions=told,
            warnings=plan.warnings,
        )


def _failed(pages: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    return [page for page in pages if page.done() and (page.cancelled() or page.exception())]


def _sum(one: Stats, other: Stats) -> Stats:
    added = ("media_s", "encode_s", "cpu_s", "bytes_read", "bytes_written", "retries")
    peak = max(one.peak_memory_bytes, other.peak_memory_bytes)
    sums = {name: getattr(one, name) + getattr(other, name) for name in added}
    return one.model_copy(update={**sums, "peak_memory_bytes": peak})
