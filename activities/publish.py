"""Publish finished parts of the work store as they are, each whole and at once."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio import activity

from activities.assemble import lease_on
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.media import MediaFacts
from longtake.contracts.result import Output, Stats
from longtake.contracts.steps.common import PUBLISH, Published, PublishRequest
from longtake.errors import InvalidJob, UserError
from media.preview.jpeg import split
from media.probing.in_child import inspect_in_child
from storage.local import sha256_of
from storage.work import Lease


@implements(PUBLISH, stage="publishing")
async def publish(request: PublishRequest, beat: Beat) -> Published:
    """Copy the parts beside their places, look at them, and publish them all at once."""
    here = place()
    lease = await lease_on(here, request.lease)
    if request.folder is not None:
        await asyncio.to_thread(here.storage(request.folder).make_folder, request.folder)
    with contextlib.ExitStack() as staging:
        staged = [
            await _stage(here, request, staging, uri, role, data)
            async for uri, role, data in _files(here, request)
        ]
        for source in (request.source, *request.others):
            await here.storage(source.uri).localize(source)
        # In a thread, which a cancel does not interrupt: all of them appear, or none.
        await asyncio.to_thread(_show, here, request, lease, staged)
    stats = Stats(
        bytes_written=sum(output.bytes for output, _ in staged),
        retries=activity.info().attempt - 1,
    )
    return Published(outputs=tuple(output for output, _ in staged), stats=stats)


async def _files(
    here: Place, request: PublishRequest
) -> AsyncIterator[tuple[str, str, Path | bytes]]:
    """Every output with its role, and the bytes or the file that it is made of."""
    for piece in request.pieces:
        path = await here.store.hold(piece.key)
        if len(piece.uris) == 1:
            yield piece.uris[0], piece.role, path
            continue
        for uri, picture in zip(piece.uris, split(path.read_bytes()), strict=True):
            yield uri, piece.role, picture


async def _stage(
    here: Place,
    request: PublishRequest,
    staging: contextlib.ExitStack,
    uri: str,
    role: str,
    data: Path | bytes,
) -> tuple[Output, Path]:
    staged = staging.enter_context(here.storage(uri).staging(uri, request.job_id))
    await asyncio.to_thread(_write, data, staged)
    media = await _verified(staged) if request.verify_media else None
    sha256 = await asyncio.to_thread(sha256_of, staged)
    size = staged.stat().st_size
    await here.storage(uri).upload(staged, uri, sha256, request.job_id)
    return Output(uri=uri, role=role, bytes=size, sha256=sha256, media=media), staged


def _show(
    here: Place, request: PublishRequest, lease: Lease, staged: list[tuple[Output, Path]]
) -> None:
    def publish_all() -> None:
        for output, path in staged:
            show = here.storage(output.uri).publish
            args = (path, output.uri, output.sha256)
            show(*args, overwrite=request.overwrite, check=lease.check)

    lease.publish(publish_all)


def _write(data: Path | bytes, staged: Path) -> None:
    if isinstance(data, bytes):
        staged.write_bytes(data)
    else:
        shutil.copyfile(data, staged)


async def _verified(staged: Path) -> MediaFacts:
    try:
        facts, _ = await inspect_in_child(staged)
    except UserError as error:
        words = error.message.replace(str(staged), "what came out")
        raise InvalidJob(f"the arguments made no file that can be read back: {words}") from error
    return facts
