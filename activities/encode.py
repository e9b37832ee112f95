"""Encode a chunk of the picture, or the whole sound, unless it is in the work store already."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.borrow import borrow, check_unchanged
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.encode import VideoSettings
from longtake.contracts.result import Stats
from longtake.contracts.steps.common import AudioRequest, EncodeDone
from longtake.contracts.steps.transcode import (
    ANALYSE_CHUNK,
    CHUNK_MISMATCH,
    ENCODE_AUDIO,
    ENCODE_CHUNK,
    SCORE_CHUNK,
    Analysed,
    ChunkRequest,
    Scored,
    ScoreRequest,
)
from longtake.errors import CapabilityMissing, InputCorrupt
from longtake.quality import VMAF_MODEL, every
from media.children.process import Finished
from media.ffmpeg.tools import device_class, engine_version
from media.probing.index import Index
from media.sound.audio import encode_audio as encode_sound
from media.sound.audio import recipe as sound_recipe
from media.transcode.analysis import analyse_chunk as analyse_picture
from media.transcode.analysis import analysed_bytes, encode_at_quality, encode_second_pass
from media.transcode.analysis import recipe as analysis_recipe
from media.transcode.chunks import Chunk
from media.transcode.plan import Plan, VideoPlan
from media.transcode.timing import clock, planned_times
from media.transcode.video import ChunkMismatch, recipe
from media.transcode.vmaf import score
from storage.work import content_key


@implements(ANALYSE_CHUNK, stage="encoding")
async def analyse_chunk(request: ChunkRequest, beat: Beat) -> Analysed:
    """The first of two passes over a chunk."""
    work = await begin(request, beat)
    key = work.key("analysis", analysis_recipe(work.video))

    async def analyse(draft: Path) -> Finished:
        return await analyse_picture(
            *(work.source, work.plan, work.index, work.chunk, draft, beat.on_tick),
            mark=work.mark,
        )

    done = await work.once(key, analyse)
    found = analysed_bytes(await work.here.store.hold(key))
    return Analysed(**done.model_dump(), bytes=found)


@implements(ENCODE_CHUNK, stage="encoding")
async def encode_chunk(request: ChunkRequest, beat: Beat) -> EncodeDone:
    """One chunk, verified frame by frame."""
    work = await begin(request, beat)
    if request.analysis_key is None or request.target_bytes is None:
        return await _encode_at_quality(work, beat)
    analysis = await work.here.store.hold(request.analysis_key)
    target_bytes = request.target_bytes
    key = work.key("chunk", analysis_recipe(work.video, 2), [request.analysis_key, target_bytes])

    async def encode_again(draft: Path) -> Finished:
        return await encode_second_pass(
            *(work.source, work.plan, work.index, work.chunk),
            *(analysis, target_bytes, draft, beat.on_tick),
            mark=work.mark,
        )

    return await work.once(key, encode_again)


async def _encode_at_quality(work: Work, beat: Beat) -> EncodeDone:
    """A chunk at the constant quality that its plan says."""
    key = work.key("chunk", recipe(work.video))

    async def encode(draft: Path) -> Finished:
        return await encode_at_quality(
            *(work.source, work.plan, work.index, work.chunk, draft, beat.on_tick),
            mark=work.mark,
        )

    return await work.once(key, encode)


@implements(SCORE_CHUNK, stage="encoding")
async def score_chunk(request: ScoreRequest, beat: Beat) -> Scored:
    """One chunk at a CRF of its own, verified frame by frame, and scored as it is made."""
    work = (await begin(request, beat)).at(request.crf)
    key = work.key("chunk", recipe(work.video), [VMAF_MODEL, every(work.video.frames)])
    score_key = content_key("vmaf", chunk=key)
    store = work.here.store

    async def encode(draft: Path) -> Finished:
        with store.drafting("vmaf") as report:
            finished = await encode_at_quality(
                *(work.source, work.plan, work.index, work.chunk, draft, beat.on_tick),
                mark=work.mark,
                report=report,
            )
            await store.put(score_key, json.dumps({"vmaf": score(report)}).encode())
        return finished

    done = await work.once(key, encode, score_key)
    return Scored(**done.model_dump(), vmaf=json.loads(await store.read(score_key))["vmaf"])


@dataclass(frozen=True)
class Work:
    """A chunk that is to be encoded, and what is needed for it."""

    here: Place
    request: ChunkRequest
    source: Path
    plan: Plan
    video: VideoPlan
    index: Index
    chunk: Chunk
    mark: Path | None
    """The watermark's image."""

    def key(self, kind: str, recipe: Sequence[object], extra: Sequence[object] = ()) -> str:
        """The content key of a pass over the chunk."""
        return content_key(
            kind,
            source=self.request.source.sha256,
            recipe=[self.plan.demuxer, *recipe],
            device=device_class(self.video.encoder),
            chunk=self.chunk.model_dump(mode="json"),
            engine=engine_version(),
            **({"aim": list(extra)} if extra else {}),
        )

    def at(self, crf: float) -> Work:
        """The same chunk at a CRF of its own."""
        asked = self.video.settings.model_dump() | {"crf": crf, "quality": None}
        settings = VideoSettings.model_validate(asked)
        video = self.video.model_copy(update={"settings": settings, "varied": True})
        plan = self.plan.model_copy(update={"video": video})
        return replace(self, video=video, plan=plan)

    async def once(
        self, key: str, encode: Callable[[Path], Awaitable[Finished]], *others: str
    ) -> EncodeDone:
        """Do it unless the keys are taken; the source must not have changed meanwhile."""
        frames = len(planned_times(self.video, self.index, self.chunk))
        whole = len(self.video.chunks) == 1
        done = await once(self.here, key, frames, encode, *others, whole=whole)
        await check_unchanged(self.here, self.request.source)
        if self.video.mark:
            image = self.video.mark.image
            await self.here.storage(image.uri).localize(image)
        return done


async def begin(request: ChunkRequest, beat: Beat) -> Work:
    """What a chunk needs: its plan, its source on this host, and how long it is."""
    check_engine(request.engine)
    here = place()
    whole, index = await here.plan(request.plan_key), await here.index(request.index_key)
    plan = whole.of_chunk(request.number)
    video = plan.picture
    chunk = video.chunks[request.number]
    frames = planned_times(video, index, chunk)
    beat.total_s = float(len(frames) * seconds_a_frame(frames, clock(video)))
    source = await borrow(here, request.source)
    image = video.mark.image if video.mark else None
    mark = await here.storage(image.uri).localize(image) if image else None
    return Work(here, request, source, plan, video, index, chunk, mark)


@implements(ENCODE_AUDIO, stage="encoding")
async def encode_audio(request: AudioRequest, beat: Beat) -> EncodeDone:
    """A whole sound track, once."""
    check_engine(request.engine)
    here = place()
    plan = await here.plan(request.plan_key)
    audio = plan.audio[request.number]
    beat.total_s = plan.media_s
    source = await here.storage(request.source.uri).localize(request.source)
    key = content_key(
        "audio",
        source=request.source.sha256,
        recipe=[plan.demuxer, *sound_recipe(audio)],
        device=device_class(audio.settings.codec),
        origin=str(plan.origin_s),
        end=str(plan.end_s),
        **({"least": str(plan.least_s)} if plan.least_s is not None else {}),
        engine=engine_version(),
    )

    async def encode(draft: Path) -> Finished:
        return await encode_sound(source, plan, request.number, draft, beat.on_tick)

    done = await once(here, key, 0, encode)
    await here.storage(request.source.uri).localize(request.source)
    return done


async def once(
    here: Place,
    key: str,
    frames: int,
    encode: Callable[[Path], Awaitable[Finished]],
    *others: str,
    whole: bool = False,
) -> EncodeDone:
    """Encode to a draft and publish it, unless the key is taken, and with it the `others` under
    which `encode` puts what it makes beside."""
    retries = activity.info().attempt - 1
    if all([await here.store.has(each) for each in (key, *others)]):
        return EncodeDone(key=key, frames=frames, reused=True, stats=Stats(retries=retries))
    with here.store.drafting(key) as draft:
        try:
            finished = await encode(draft)
        except ChunkMismatch as mismatch:
            if whole:
                raise InputCorrupt(
                    f"the source does not decode as it is indexed: {mismatch}"
                ) from (mismatch)
            raise ApplicationError(
                str(mismatch), type=CHUNK_MISMATCH, non_retryable=True
            ) from mismatch
        size = draft.stat().st_size
        await here.store.publish(draft, key)
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


def check_engine(planned: str) -> None:
    """Parts of two engine versions must not meet in one output."""
    if engine_version() != planned:
        raise CapabilityMissing(
            f"this worker's engine is {engine_version()}, and the job was planned for {planned}: "
            "a worker of that version goes on; or cancel the job and `longtake retry` it"
        )


def seconds_a_frame(frames: Sequence[int], time_base: Fraction) -> Fraction:
    """The mean of a chunk's frames, in seconds."""
    if len(frames) < 2:
        return Fraction(1, 25)
    return (frames[-1] - frames[0]) * time_base / (len(frames) - 1)
