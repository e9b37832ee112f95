"""Batches: what there is to do, what was done before, and the report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from temporalio import activity

from activities.assemble import lease_on
from activities.look_again import is_known
from activities.place import Place, place
from activities.running import Beat, implements
from longtake import batches, identity
from longtake.contracts.batch import Batch, BatchItem, ItemResult
from longtake.contracts.result import JobError, JobResult, Output, Stats
from longtake.contracts.steps.batch import (
    NOTE_PAGE,
    OPEN_PAGE,
    PLAN_BATCH,
    WRITE_REPORT,
    BatchPlan,
    Page,
    PageAsked,
    PageDone,
    PageItem,
    ReportAsked,
)
from longtake.contracts.steps.common import JobRecord, Nothing, Published, SourceKnown
from longtake.errors import LongtakeError, OutputConflict
from longtake.kinds import AnyJob
from longtake.paths import shown
from longtake.preflight import check_settings
from storage.expand import expand
from storage.local import sha256_of, storage_errors
from storage.work import content_key

_SIDE_BY_SIDE = 16
"""Items that are looked at at once."""


@implements(PLAN_BATCH, stage="planning")
async def plan(job: Batch, beat: Beat) -> BatchPlan:
    """Find the files, give each an output, and keep the manifest in the work store."""
    identity.must_be_id(activity.info().workflow_id or "")  # the report is called by it
    here = place()
    check_settings(job)
    entries = await expand(job.input, job.output, here.storage, batches.kind_of(job))
    items = await asyncio.to_thread(batches.items_of, job, entries)
    document = "".join(f"{item.model_dump_json()}\n" for item in items)
    key = content_key("manifest", manifest=document)
    await here.store.put(key, document.encode())
    twice = len(entries) - len(items)
    warnings = (f"{twice} entries of {shown(job.input)} are there twice",) if twice else ()
    return BatchPlan(manifest_key=key, items=len(items), warnings=warnings)


@implements(OPEN_PAGE, stage="planning")
async def open_page(asked: PageAsked, beat: Beat) -> Page:
    """Some items; those that need not run with their results, the others with their folders."""
    here = place()
    room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def keep(key: str) -> None:
        async with room:
            await here.store.has(key)  # it becomes young again: a batch may run for weeks

    results = (_page_key(asked.run, first) for first in asked.pages)
    await asyncio.gather(*map(keep, (asked.manifest_key, *results)))
    lines = await here.manifests.get(asked.manifest_key)

    async def look(line: str) -> PageItem:
        async with room:
            return await open_item(here, asked.batch, BatchItem.model_validate_json(line))

    chosen = lines[asked.first : asked.first + asked.items]
    items = await asyncio.gather(*map(look, chosen))
    await asyncio.to_thread(_make_folders, here, asked.batch, items)
    return Page(items=tuple(items))


async def open_item(here: Place, batch: Batch, item: BatchItem) -> PageItem:
    """An item, with its result where it is not to run: it cannot, or was done before."""
    if item.problem is not None:
        error = JobError(type="InvalidJob", message=item.problem)
        return PageItem(item=item, job_id="", result=batches.failed(item, "", error, ran=False))
    job = batches.item_job(batch, item)
    job_id = identity.item_id(job)
    record = await asyncio.to_thread(here.jobs.read, job_id)
    return PageItem(
        item=item, job_id=job_id, result=await _earlier(here, batch, item, job, job_id, record)
    )


async def _earlier(
    here: Place, batch: Batch, item: BatchItem, job: AnyJob, job_id: str, record: JobRecord | None
) -> ItemResult | None:
    """What came of the item before, where it is not to run again."""
    result = record.result if record else None
    succeeded = result is not None and result.state == "succeeded"
    if batch.retry_failed and record is None:
        return batches.left(item, job_id)
    if result is None or not succeeded or job.looks_anew:
        return None
    if not batch.retry_failed and not await _is_still_true(here, job, result):
        return None
    return batches.succeeded(item, job_id, result, ran=False)


async def _is_still_true(here: Place, job: AnyJob, result: JobResult) -> bool:
    """Are a job's sources and outputs those that its result tells of?"""
    versions: dict[str, set[str]] = {}
    for read in result.sources:
        versions.setdefault(read.uri, set()).add(read.version)
    try:
        for uri in identity.read_by(job):
            known = tuple(sorted(versions.get(shown(uri), ())))
            if not await is_known(SourceKnown(uri=uri, versions=known)):
                return False
        for output in result.outputs:
            storage = here.storage(output.uri)
            if not await storage.holds(output.uri, output.sha256, output.bytes):
                return False
    except LongtakeError:
        return False  # the item will say it in its own words
    return True


def _make_folders(here: Place, batch: Batch, items: Sequence[PageItem]) -> None:
    """The batch's folder, and below it those of what will run."""
    root = batch.output.rstrip("/")
    folders: dict[str, None] = {}
    for each in items:
        if each.result is None and each.item.output.startswith(f"{root}/"):
            below = PurePosixPath(each.item.output.removeprefix(f"{root}/"))
            folders |= {f"{root}/{way}": None for way in reversed(below.parents) if way.name}
    here.storage(root).make_folder(root)
    for folder in folders:
        with contextlib.suppress(OutputConflict):  # the items in it will say so
            here.storage(folder).make_folder(folder)


@implements(NOTE_PAGE, stage="publishing")
async def note_page(done: PageDone, beat: Beat) -> Nothing:
    """Keep the results of a page: once, however often the step runs."""
    lines = b"".join(map(_line, done.results))
    await place().store.put(_page_key(done.run, done.first), lines)
    return Nothing()


@implements(WRITE_REPORT, stage="publishing")
async def write_report(asked: ReportAsked, beat: Beat) -> Published:
    """Put the pages together, in the order of the manifest, and publish them."""
    here = place()
    lease = await lease_on(here, asked.output)
    storage = here.storage(asked.output)
    with storage.staging(asked.output, asked.job_id) as staged:
        with storage_errors(staged), staged.open("wb") as file:
            for first in asked.pages:
                file.write(await here.store.read(_page_key(asked.run, first)))
            if asked.left is not None:
                lines = await here.manifests.get(asked.left.manifest_key)
                await asyncio.to_thread(_write_left, file, asked.left, lines)
        sha256 = await asyncio.to_thread(sha256_of, staged)
        size = staged.stat().st_size
        await storage.upload(staged, asked.output, sha256, asked.job_id)
        show = partial(storage.publish, staged, asked.output, sha256)
        fenced = partial(show, overwrite=True, check=lease.check)
        await asyncio.to_thread(lease.publish, fenced)
    output = Output(uri=asked.output, role="report", bytes=size, sha256=sha256)
    return Published(outputs=(output,), stats=Stats(bytes_written=size))


def _write_left(file: BinaryIO, asked: PageAsked, lines: Sequence[str]) -> None:
    for line in lines[asked.first : asked.first + asked.items]:
        item = BatchItem.model_validate_json(line)
        can_run = item.problem is None
        job_id = identity.item_id(batches.item_job(asked.batch, item)) if can_run else ""
        file.write(_line(batches.left(item, job_id)))


def _line(result: ItemResult) -> bytes:
    return f"{result.model_dump_json(exclude_none=True)}\n".encode()


def _page_key(run: str, first: int) -> str:
    return content_key("results", run=run, first=first)
