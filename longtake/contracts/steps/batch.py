"""Steps of `Batch`."""

from __future__ import annotations

from datetime import datetime

from longtake.contracts.base import Contract, Uri
from longtake.contracts.batch import Batch, BatchItem, ItemResult, Tally
from longtake.contracts.steps.common import Nothing, Published, Step

PAGE_ITEMS = 50
"""Read, and noted, at once."""
ITEMS_A_RUN = 250
"""Then the workflow goes on as a new run: Temporal's histories must stay small."""


class BatchPlan(Contract):
    """What is to be done, in the work store."""

    manifest_key: str
    items: int
    warnings: tuple[str, ...] = ()


class PageAsked(Contract):
    """Asks for some items of a manifest."""

    batch: Batch
    manifest_key: str
    first: int
    items: int
    run: str = ""
    pages: tuple[int, ...] = ()
    """Pages of this run of the batch whose results are to be kept from being swept."""


class PageItem(Contract):
    """An item, and its result where it has one already: it is not run again."""

    item: BatchItem
    job_id: str
    result: ItemResult | None = None


class Page(Contract):
    """Some items of a manifest, in its order."""

    items: tuple[PageItem, ...]


class PageDone(Contract):
    """The results of a page."""

    run: str
    """Of one run of the batch from its start to its end."""
    first: int
    results: tuple[ItemResult, ...]


class ReportAsked(Contract):
    """Asks for the report of a run, from the pages that begin with these items."""

    job_id: str
    run: str
    pages: tuple[int, ...]
    output: Uri
    left: PageAsked | None = None
    """Items that a batch which was cancelled did not come to."""


class SoFar(Contract):
    """Where a batch stands when its workflow goes on as a new run."""

    batch: Batch
    plan: BatchPlan | None = None
    began_at: datetime | None = None
    next: int = 0
    """Number of the next item."""
    pages: tuple[int, ...] = ()
    """Number of each finished page's first item."""
    tally: Tally = Tally()
    priority: int | None = None
    """Given by a signal."""
    items_a_run: int = ITEMS_A_RUN


PLAN_BATCH = Step("plan_batch", "io", Batch, BatchPlan)
OPEN_PAGE = Step("open_page", "io", PageAsked, Page)
NOTE_PAGE = Step("note_page", "io", PageDone, Nothing)
WRITE_REPORT = Step("write_report", "io", ReportAsked, Published)
