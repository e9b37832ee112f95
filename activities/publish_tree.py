"""Publish a finished tree, such as a package for streaming, into a folder."""

from __future__ import annotations

import asyncio
from functools import partial

from temporalio import activity

from activities.assemble import lease_on
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.result import Stats
from longtake.contracts.steps.common import Published, Source
from longtake.contracts.steps.tree import PUBLISH_TREE, PublishTreeRequest
from storage.remote import changed
from storage.threads import to_its_end
from storage.tree import ENTRIES, members
from storage.trees import Publication, check_unclaimed


@implements(PUBLISH_TREE, stage="publishing")
async def publish_tree(request: PublishTreeRequest, beat: Beat) -> Published:
    """Put all files there, then the listing and the manifests; then remove what was replaced."""
    here = place()
    folder = here.storage(request.output).folder(request.output)
    lease = await lease_on(here, folder.identity)
    tree = await asyncio.to_thread(members, await here.store.hold(request.tree_key))

    def on_fraction(done: float) -> None:
        beat.fraction = max(beat.fraction, done)

    publication = Publication(
        here.store,
        folder,
        lease,
        tree,
        job_id=request.job_id,
        tree_key=request.tree_key,
        output=request.output,
        overwrite=request.overwrite,
        sources=tuple(source.uri for source in request.sources),
        on_fraction=on_fraction,
    )
    await check_unchanged(here, request.sources)
    await publication.begin()
    if not publication.is_live:
        await to_its_end(publication.fill)
        await check_unchanged(here, request.sources)
    outputs = await to_its_end(publication.show)
    stats = Stats(
        bytes_written=sum(member.size for member in tree), retries=activity.info().attempt - 1
    )
    return Published(outputs=outputs, stats=stats, warnings=tuple(publication.warnings))


async def check_unchanged(here: Place, sources: tuple[Source, ...]) -> None:
    """Raises InputCorrupt if a source is no longer the one that was pinned."""
    for source in sources:
        if not await here.storage(source.uri).is_unchanged(source.uri, source.version):
            raise changed(source.uri)


async def check_tree(here: Place, output: str, source: str, *, overwrite: bool) -> None:
    """Fail early if a tree cannot be published: a package is there, another job is at work, or
    nothing may be written.

    Raises OutputConflict, InvalidJob.
    """
    storage = here.storage(output)
    check = partial(storage.check_folder, output, source, ENTRIES, overwrite=overwrite)
    await asyncio.to_thread(check)
    await asyncio.to_thread(check_unclaimed, here.store, storage.folder(output), output)
