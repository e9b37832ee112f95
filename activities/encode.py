"""Encode a chunk of the picture, or the whole sound, unless it is in the work store already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.result import Stats
from longtake.contracts.steps import (
    CHUNK_MISMATCH,
    ENCODE_AUDIO,
    ENCODE_CHUNK,
    AudioRequest,
    ChunkRequest,
    EncodeDone,
)
from longtake.errors import Poisoned, ProcessKilled, ProcessStalled
from media.audio import encode_audio as encode_sound
from media.process import Finished
from media.tools import engine_version
from media.video import ChunkMismatch
from media.video import encode_chunk as encode_picture
from storage.work import content_key

POISON_AFTER = 3


@implements(ENCODE_CHUNK, stage="encoding")
async def encode_chunk(request: ChunkRequest, beat: Beat) -> EncodeDone:
    """One chunk, verified frame by frame."""
    here = place()
    plan, index = here.plan(request.plan_key), here.index(request.index_key)
    if plan.video is None:
        raise ValueError(f"plan {request.plan_key} has no picture")
    chunk = plan.video.chunks[request.number]
    frames = index.slice(chunk.start_pts, chunk.end_pts)
    beat.total_s = float(len(frames) * _seconds_a_frame(frames, index.time_base))
    source = await here.storage.localize(request.source)
    video = plan.video
    key = content_key(
        "chunk",
        source=request.source.sha256,
        video=video.model_dump(mode="json", exclude={"chunks", "copied", "start_s", "frames"}),
        chunk=chunk.model_dump(mode="json"),
        engine=engine_version(),
    )

    async def encode(draft: Path) -> Finished:
        return await encode_picture(source, plan, index, chunk, draft, beat.on_tick)

    done = await _once(here, key, len(frames), encode)
    await here.storage.localize(request.source)  # the source must not have changed meanwhile
    return done


@implements(ENCODE_AUDIO, stage="encoding")
async def encode_audio(request: AudioRequest, beat: Beat) -> EncodeDone:
    """The whole sound, once."""
    here = place()
    plan = here.plan(request.plan_key)
    if plan.audio is None:
        raise ValueError(f"plan {request.plan_key} has no sound")
    beat.total_s = plan.media_s
    source = await here.storage.localize(request.source)
    key = content_key(
        "audio",
        source=request.source.sha256,
        audio=plan.audio.model_dump(mode="json"),
        origin=str(plan.origin_s),
        end=str(plan.end_s),
        engine=engine_version(),
    )

    async def encode(draft: Path) -> Finished:
        return await encode_sound(source, plan, draft, beat.on_tick)

    done = await _once(here, key, 0, encode)
    await here.storage.localize(request.source)
    return done


async def _once(
    here: Place, key: str, frames: int, encode: Callable[[Path], Awaitable[Finished]]
) -> EncodeDone:
    """Encode to a draft and publish it, unless the key is taken."""
    retries = activity.info().attempt - 1
    if here.store.find(key):
        return EncodeDone(key=key, frames=frames, reused=True, stats=Stats(retries=retries))
    with here.store.drafting(key) as draft:
        try:
            finished = await encode(draft)
        except ChunkMismatch as mismatch:
            raise ApplicationError(
                str(mismatch), type=CHUNK_MISMATCH, non_retryable=True
            ) from mismatch
        except (ProcessKilled, ProcessStalled) as killed:
            _poison(here, key, killed)
            raise
        size = here.store.publish(draft, key).stat().st_size
    stats = Stats(
        encode_s=round(finished.wall_s, 3),
        cpu_s=round(finished.cpu_s, 3),
        bytes_written=size,
        retries=retries,
        peak_memory_bytes=finished.peak_memory_bytes,
    )
    return EncodeDone(
        key=key, frames=frames, reused=False, stats=stats, decode_errors=finished.errors
    )


def _poison(here: Place, key: str, killed: ProcessKilled | ProcessStalled) -> None:
    """Count the deaths of this step's processes in this run; the third is the last."""
    info = activity.info()
    deaths = here.store.note(f"{key}.{info.workflow_run_id}", str(info.attempt), killed.message)
    if deaths >= POISON_AFTER:
        raise Poisoned(
            f"this step ended its process {deaths} times and is not tried again. The last time: "
            f"{killed.message} When the cause is mended, `longtake retry "
            f"{info.workflow_id}` runs only what is missing"
        ) from killed


def _seconds_a_frame(frames: tuple[int, ...], time_base: Fraction) -> Fraction:
    if len(frames) < 2:
        return Fraction(1, 25)
    return (frames[-1] - frames[0]) * time_base / (len(frames) - 1)
