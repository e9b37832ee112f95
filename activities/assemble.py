"""Join the parts beside the output, prove the file, and publish it at once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from temporalio import activity

from activities.joining import join_parts
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.chapters import Chapters
from longtake.contracts.result import Output, Stats
from longtake.contracts.steps.common import ASSEMBLE, AssembleRequest, Published
from media.children.process import Finished
from media.transcode.assemble import assemble as mux
from media.transcode.assemble import verify
from media.transcode.mux import Texts
from media.transcode.plan import Plan
from storage.local import sha256_of
from storage.work import Lease


@implements(ASSEMBLE, stage="assembling")
async def assemble(request: AssembleRequest, beat: Beat) -> Published:
    """Join, verify and publish; what is published already and right is left untouched."""
    here = place()
    plan = await here.plan(request.plan_key)
    index = await here.index(request.index_key) if request.index_key else None
    source = await here.storage(request.source.uri).localize(request.source)
    sounds = [await here.store.hold(key) for key in request.audio_keys]
    chapters = await here.chapters(request.chapters_key) if request.chapters_key else None
    texts = [(await here.store.hold(text.key), text) for text in request.texts]
    beat.total_s = plan.media_s
    # Later attempts, here or elsewhere, take the right to publish from earlier ones.
    lease = await lease_on(here, request.output)
    storage = here.storage(request.output)
    with storage.staging(request.output, request.job_id) as staged:
        finished = await _mux(
            here, source, plan, request.chunk_keys, sounds, staged, beat, chapters, texts
        )
        facts, warnings = await verify(staged, plan, index, chapters, len(texts))
        sha256 = await asyncio.to_thread(sha256_of, staged)
        size = staged.stat().st_size
        await storage.upload(staged, request.output, sha256, request.job_id)
        await here.storage(request.source.uri).localize(request.source)
        show = partial(storage.publish, staged, request.output, sha256)
        fenced = partial(show, overwrite=request.overwrite, check=lease.check)
        await asyncio.to_thread(lease.publish, fenced)
    output = Output(uri=request.output, role="main", bytes=size, sha256=sha256, media=facts)
    stats = Stats(
        cpu_s=round(finished.cpu_s, 3),
        bytes_written=size,
        retries=activity.info().attempt - 1,
        peak_memory_bytes=finished.peak_memory_bytes,
    )
    return Published(outputs=(output,), stats=stats, warnings=warnings)


async def _mux(
    here: Place,
    source: Path,
    plan: Plan,
    chunks: Sequence[str],
    sounds: list[Path],
    staged: Path,
    beat: Beat,
    chapters: Chapters | None,
    texts: Texts,
) -> Finished:
    if not chunks:
        return await mux(source, plan, None, sounds, staged, beat.on_tick, chapters, texts)
    with here.store.drafting("rendition") as rendition:
        await join_parts(here.store, chunks, rendition)
        return await mux(source, plan, rendition, sounds, staged, beat.on_tick, chapters, texts)


async def lease_on(here: Place, uri: str) -> Lease:
    """The right of this attempt to publish `uri`."""
    return await here.store.lease(f"output-{_name(uri)}", _term())


def _name(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


def _term() -> int:
    """Grows with every attempt of every run: the server's time in microseconds."""
    return int(activity.info().current_attempt_scheduled_time.timestamp() * 1_000_000)
