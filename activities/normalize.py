"""Plan, measure and level the sound of a file, unless it is in the work store already."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from functools import partial
from pathlib import Path

from activities.admit import probe
from activities.beside import own_texts
from activities.encode import check_engine, once
from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.normalize import Normalize, container_of
from longtake.contracts.steps.common import AudioRequest
from longtake.contracts.steps.normalize import (
    LEVEL_TRACK,
    MEASURE_TRACK,
    PLAN_NORMALIZE,
    LevelDone,
    LevelRequest,
    MeasureDone,
    NormalizeSummary,
)
from media.children.process import Finished
from media.ffmpeg.tools import device_class, engine_version
from media.sound.audio import aligned, recipe
from media.sound.encoders import dither, given_back
from media.sound.level import levelled
from media.sound.loudness import Measured
from media.sound.normalize import level_track, measure_track, plan_normalize
from media.transcode.plan import Clip
from storage.work import content_key


@implements(PLAN_NORMALIZE, stage="planning")
async def plan(job: Normalize, beat: Beat) -> NormalizeSummary:
    """Check both ends, pin and probe the source, plan, and keep the plan in the work store."""
    here = place()
    (uri,) = job.sources
    check = here.storage(job.output).check_output
    await asyncio.to_thread(partial(check, job.output, uri, overwrite=job.overwrite))
    source = await here.storage(uri).fingerprint(uri)
    facts, index_key = await probe(here, source)
    index = await here.index(index_key) if index_key else None
    container = container_of(job.output)
    made = plan_normalize(facts, index, job, container)
    texts, lost = await own_texts(
        here=here,
        source=source,
        facts=facts,
        container=container,
        clip=Clip(),
        origin=index.origin_s if index else Fraction(str(facts.start_s)),
    )
    document = made.model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return NormalizeSummary(
        source=source,
        plan_key=key,
        index_key=index_key if made.video else None,
        aims=tuple(job.aim(audio.channels) for audio in made.audio),
        media_s=made.media_s,
        engine=engine_version(),
        decisions=made.decisions,
        texts=texts,
        warnings=(*made.warnings, *lost),
    )


@implements(MEASURE_TRACK, stage="normalizing")
async def measure(request: AudioRequest, beat: Beat) -> MeasureDone:
    """How loud a track is, at the rate and layout that it will have."""
    check_engine(request.engine)
    here = place()
    made = await here.plan(request.plan_key)
    beat.total_s = made.media_s
    source = await here.storage(request.source.uri).localize(request.source)
    audio = made.audio[request.number]
    key = content_key(
        "measured",
        source=request.source.sha256,
        recipe=[made.demuxer, str(audio.stream), *aligned(made, audio)],
        engine=engine_version(),
    )

    async def look(draft: Path) -> Finished:
        found, finished = await measure_track(source, made, request.number, draft, beat.on_tick)
        await asyncio.to_thread(draft.write_text, found.model_dump_json())
        return finished

    done = await once(here, key, 0, look)
    await here.storage(request.source.uri).localize(request.source)
    found = Measured.model_validate_json(await here.store.read(key)).loudness
    # What did not decode, the encode counts.
    done = done.model_copy(update={"decode_errors": 0})
    return MeasureDone(done=done, loudness=found, windows_key=key)


@implements(LEVEL_TRACK, stage="normalizing")
async def level(request: LevelRequest, beat: Beat) -> LevelDone:
    """Encode a track at its level, measured as it is encoded."""
    check_engine(request.track.engine)
    here = place()
    asked, number = request.track, request.track.number
    made = await here.plan(asked.plan_key)
    beat.total_s = made.media_s
    source = await here.storage(asked.source.uri).localize(asked.source)
    audio = made.audio[number]
    key = content_key(
        "level",
        source=asked.source.sha256,
        recipe=[made.demuxer, *aligned(made, audio), *recipe(audio), *given_back(audio)],
        dither=dither(audio),
        aim=request.aim.model_dump(mode="json"),
        before=request.before.model_dump(mode="json"),
        search="sketched",
        device=device_class(audio.settings.codec),
        engine=engine_version(),
    )
    told = content_key("levelled", part=key)

    async def make(draft: Path) -> Finished:
        result = await level_track(
            *(source, made, number, request.before, request.aim, draft, beat.on_tick)
        )
        answer = LevelDone(
            warnings=result.warnings,
            levelled=levelled(result, number + 1, request.aim, request.before),
        )
        # Before the part: who finds the part finds what is told of it.
        await here.store.put(told, answer.model_dump_json().encode())
        return result.finished

    done = await once(here, key, 0, make)
    await here.storage(asked.source.uri).localize(asked.source)
    answer = LevelDone.model_validate_json(await here.store.read(told))
    return answer.model_copy(update={"done": done})
