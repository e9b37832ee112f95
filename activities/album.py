"""Files that a job takes together: planned, measured as one sound, encoded in rounds, finished."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from activities.admit import probe
from activities.encode import check_engine, once
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.media import MediaFacts
from longtake.contracts.normalize import Normalize, container_of
from longtake.contracts.sound import SOUNDS
from longtake.contracts.steps.album import (
    ENCODE_STAGE,
    FINISH_FILE,
    JUDGE_ALBUM,
    PLAN_ALBUM,
    AlbumSummary,
    FileDone,
    FinishRequest,
    Judged,
    JudgeRequest,
    StageRequest,
)
from longtake.contracts.steps.normalize import MeasureDone, NormalizeSummary
from longtake.paths import name_of
from media.children.process import Finished
from media.ffmpeg.tools import device_class, engine_version
from media.sound.album import album_warnings, best_round, first_album_stage, judge, next_album_stage
from media.sound.audio import aligned, encode_level, recipe, shaping
from media.sound.limiter import LevelStage
from media.sound.loudness import Measured, together
from media.sound.normalize import check_one_track, plan_listening, plan_normalize
from media.tags.gains import tag_kind
from media.transcode.assemble import assemble, verify
from media.transcode.plan import Plan
from storage.work import content_key


@implements(PLAN_ALBUM, stage="planning")
async def plan(job: Normalize, beat: Beat) -> AlbumSummary:
    """Check all places; pin, probe and plan each file. The plans lie in the work store."""
    here = place()
    await asyncio.to_thread(_check_outputs, here, job)
    files: list[NormalizeSummary] = []
    plans: list[Plan] = []
    for number, (uri, output) in enumerate(job.files):
        beat.fraction = number / len(job.files)
        summary, made = await _plan_file(here, job, uri, output)
        files.append(summary)
        plans.append(made)
    tracks = [made.audio[0] for made in plans]
    aim = None
    if job.mode != "tags":
        aim = job.aim(max(track.channels for track in tracks))
    return AlbumSummary(
        files=tuple(files),
        aim=aim,
        lossy=tuple(SOUNDS[track.settings.codec].lossy for track in tracks),
    )


def _check_outputs(here: Place, job: Normalize) -> None:
    storage = here.storage(job.output)
    for uri, output in job.files:
        if not job.album:
            storage.check_output(output, uri, overwrite=job.overwrite)
        else:
            name = name_of(output)
            storage.check_folder(job.output, uri, [name], overwrite=job.overwrite)


async def _plan_file(
    here: Place, job: Normalize, uri: str, output: str
) -> tuple[NormalizeSummary, Plan]:
    source = await here.storage(uri).fingerprint(uri)
    facts, index_key = await probe(here, source)
    container = container_of(output)
    if job.mode == "tags":
        made = plan_listening(facts)
        check_one_track(facts, name_of(uri))
        tag_kind(facts, container, name_of(uri))  # raises for a file that cannot be tagged
        made = made.model_copy(update={"decisions": {}, "warnings": facts.warnings})
    else:
        index = await here.index(index_key) if index_key else None
        made = plan_normalize(facts, index, job, container)
        check_one_track(facts, name_of(uri))
    document = made.model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    summary = NormalizeSummary(
        source=source,
        plan_key=key,
        index_key=index_key if made.video else None,
        aims=(),
        media_s=made.media_s,
        engine=engine_version(),
        decisions=made.decisions,
        warnings=made.warnings,
    )
    return summary, made


@implements(JUDGE_ALBUM, stage="normalizing")
async def judge_album(request: JudgeRequest, beat: Beat) -> Judged:
    """How loud the files are together, before and after a round, and which stage comes next."""
    here = place()
    sources = await _windows(here, request.measured)
    before = together(sources)
    aim, lossy = request.aim, request.lossy
    if aim is None:
        return Judged(before=before)
    if request.stage is None:
        first = first_album_stage(before, [each.loudness for each in sources], aim, lossy)
        return Judged(before=before, next=first)
    levelled = await _windows(here, request.levelled)
    files = [each.loudness for each in levelled]
    rounds = (*request.rounds, judge(request.stage, together(levelled), files, aim))
    best = best_round(rounds)
    return Judged(
        before=before,
        round=rounds[-1],
        next=next_album_stage(rounds, before, aim, lossy),
        best=best,
        warnings=album_warnings(rounds[best], before, aim),
    )


async def _windows(here: Place, keys: Sequence[str]) -> list[Measured]:
    return [Measured.model_validate_json(await here.store.read(key)) for key in keys]


@implements(ENCODE_STAGE, stage="normalizing")
async def encode_stage(request: StageRequest, beat: Beat) -> MeasureDone:
    """Encode a track through a stage, and measure it as it is encoded."""
    check_engine(request.track.engine)
    here = place()
    asked, number = request.track, request.track.number
    made = await here.plan(asked.plan_key)
    beat.total_s = made.media_s
    source = await here.storage(asked.source.uri).localize(asked.source)
    audio = made.audio[number]
    stage = LevelStage(request.gain_db, request.ceiling_dbtp)
    key = content_key(
        "stage",
        source=asked.source.sha256,
        recipe=[made.demuxer, *aligned(made, audio), *recipe(audio)],
        level=shaping(audio, stage),
        device=device_class(audio.settings.codec),
        engine=engine_version(),
    )
    windows = content_key("measured", part=key)

    async def make(draft: Path) -> Finished:
        found, finished = await encode_level(source, made, number, draft, beat.on_tick, stage)
        # Before the part: who finds the part finds its windows.
        await here.store.put(windows, found.model_dump_json().encode())
        return finished

    done = await once(here, key, 0, make)
    await here.storage(asked.source.uri).localize(asked.source)
    found = Measured.model_validate_json(await here.store.read(windows))
    return MeasureDone(done=done, loudness=found.loudness, windows_key=windows)


@implements(FINISH_FILE, stage="assembling")
async def finish(request: FinishRequest, beat: Beat) -> FileDone:
    """Put a levelled track into its container, verified, with what its source takes along."""
    check_engine(request.engine)
    here = place()
    made = await here.plan(request.plan_key)
    index = await here.index(request.index_key) if request.index_key else None
    source = await here.storage(request.source.uri).localize(request.source)
    sound = await here.store.hold(request.audio_key)
    beat.total_s = made.media_s
    key = content_key(
        "file",
        source=request.source.sha256,
        plan=request.plan_key,
        sound=request.audio_key,
        engine=engine_version(),
    )
    told = content_key("finished", part=key)

    async def make(draft: Path) -> Finished:
        finished = await assemble(source, made, None, [sound], draft, beat.on_tick)
        facts, warnings = await verify(draft, made, index)
        # Before the part: who finds the part finds what is told of it.
        answer = FileDone(media=brief(facts), warnings=warnings)
        await here.store.put(told, answer.model_dump_json().encode())
        return finished

    done = await once(here, key, 0, make)
    await here.storage(request.source.uri).localize(request.source)
    answer = FileDone.model_validate_json(await here.store.read(told))
    return answer.model_copy(update={"done": done})


def brief(facts: MediaFacts) -> MediaFacts:
    """Facts of one file among many: a message is small."""
    return facts.model_copy(update={"tags": {}, "chapters": ()})
