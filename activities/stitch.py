"""Make a programme: plan, prepare each part, mix, level and finish each output.

Each is looked up under its content key first: another outro leaves the speech as it is.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from activities.admit import probe
from activities.encode import check_engine, once
from activities.film import film_pieces
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.base import Contract
from longtake.contracts.loudness import Loudness
from longtake.contracts.media import MediaFacts
from longtake.contracts.preview import Preview, PreviewPart
from longtake.contracts.steps.common import EncodeDone
from longtake.contracts.steps.normalize import LevelDone
from longtake.contracts.steps.stitch import (
    DESCRIBE_SOUND,
    FINISH_SOUND,
    LEVEL_SOUND,
    MIX,
    PLAN_STITCH,
    PLAN_STITCH_WHOLE,
    PREPARE_PART,
    ChapterMark,
    DescribeRequest,
    FinishDone,
    FinishSoundRequest,
    LevelSoundRequest,
    MixDone,
    MixRequest,
    PrepareDone,
    PreparedPart,
    PrepareRequest,
    StitchSummary,
)
from longtake.contracts.stitch import Stitch
from longtake.stitching import resolve_stitch
from media.children.process import NO_WORK, Finished, in_turn
from media.ffmpeg.tools import device_class, engine_version
from media.preview.plan import Sound, plan_preview
from media.probing.in_child import inspect_in_child
from media.programme.edges import Ready
from media.programme.mix import decisions_of, graph_of, warnings_of
from media.programme.mix import mix as mix_parts
from media.programme.outputs import Encoding, front, prove
from media.programme.outputs import finish as finish_file
from media.programme.outputs import level_sound as level_file
from media.programme.plan import StitchPlan, plan_stitch
from media.programme.prepare import measure_sound
from media.programme.prepare import prepare as prepare_part
from media.programme.timeline import Mark
from media.sound.encoders import dither
from media.sound.level import levelled
from media.sound.pcm import Pcm
from media.sound.peaks import make_sound
from media.tags.tagging import chapters_json, cover_at, metadata, not_taken, tags_of
from storage.work import content_key


class _Told(Contract):
    """What is known of a part beside its samples."""

    samples: int
    decoded: int
    loudness: Loudness


@implements(PLAN_STITCH, stage="planning")
async def plan(job: Stitch, beat: Beat) -> StitchSummary:
    """Resolve the preset, check all ends, pin and probe every source, and keep the plan."""
    return await _plan(job, whole=False)


@implements(PLAN_STITCH_WHOLE, stage="planning")
async def plan_whole(job: Stitch, beat: Beat) -> StitchSummary:
    """The same, with each part's picture in one piece."""
    return await _plan(job, whole=True)


async def _plan(job: Stitch, *, whole: bool) -> StitchSummary:
    here = place()
    complete = resolve_stitch(job)
    segments = tuple(
        (number, uri)
        for number in complete.line
        if (uri := complete.segment_uri(number)) is not None
    )
    beside = tuple((kind, complete.beside_uri(kind)) for kind in complete.beside or ())
    for uri in complete.files:
        check = here.storage(uri).check_output
        await asyncio.to_thread(partial(check, uri, job.sources[0], overwrite=job.overwrite))
    pinned = {
        uri: await here.storage(uri).fingerprint(uri) for uri in dict.fromkeys(complete.sources)
    }
    sources = tuple(pinned[part.source] for part in complete.timeline)
    probes = [await probe(here, source) for source in sources]
    facts, index_keys = [found[0] for found in probes], [found[1] for found in probes]
    indexes = {n: await here.index(key) for n, key in enumerate(index_keys) if key is not None}
    cover = pinned[complete.cover] if complete.cover else None
    if cover is not None:
        cover_at(await here.storage(cover.uri).localize(cover))
    made = plan_stitch(complete, facts, indexes, whole=whole)
    document = made.model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return StitchSummary(
        plan_key=key,
        sources=sources,
        names=made.names,
        cover=cover,
        segments=segments,
        beside=beside,
        aim=made.aim,
        media_s=made.media_s,
        engine=engine_version(),
        warnings=made.warnings,
        film=await film_pieces(here, made.film, index_keys) if made.film else (),
        decisions=made.film.decisions(made.names) if made.film else {},
    )


@implements(PREPARE_PART, stage="stitching")
async def prepare(request: PrepareRequest, beat: Beat) -> PrepareDone:
    """One part: decoded, clipped, without its silence, measured."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    part, trim = made.parts[request.number], made.job.timeline[request.number].trim or None
    beat.total_s = part.decode.media_s
    source = await here.storage(request.source.uri).localize(request.source)
    key = content_key(
        "prepared",
        source=request.source.sha256,
        recipe=part.recipe,
        trim=trim.model_dump(mode="json") if trim else None,
        channels=made.channels,
        engine=engine_version(),
    )
    told = content_key("told", part=key)

    async def make(draft: Path) -> Finished:
        done = await prepare_part(source, part, trim, made.channels, draft, beat.on_tick)
        # Before the part: who finds the part finds what is told of it.
        answer = _Told(samples=done.sound.samples, decoded=done.decoded, loudness=done.loudness)
        await here.store.put(told, answer.model_dump_json().encode())
        return done.finished

    done = await once(here, key, 0, make)
    await here.storage(request.source.uri).localize(request.source)
    answer = _Told.model_validate_json(await here.store.read(told))
    return PrepareDone(done=done, part=PreparedPart(key=key, **answer.model_dump()))


@implements(MIX, stage="stitching")
async def mix(request: MixRequest, beat: Beat) -> MixDone:
    """All parts in one pass, and how loud the whole is."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    parts = [
        Ready(
            Pcm(await here.store.hold(part.key), made.rate_hz, plan.sound.channels), part.loudness
        )
        for plan, part in zip(made.parts, request.parts, strict=True)
    ]
    timeline = made.timeline([part.samples for part in request.parts])
    beat.total_s = timeline.samples / made.rate_hz
    key = content_key(
        "mix",
        parts=[part.key for part in request.parts],
        graph=graph_of(made, parts, timeline),
        engine=engine_version(),
    )
    told = content_key("told", part=key)

    async def make(draft: Path) -> Finished:
        _, finished = await mix_parts(made, parts, draft, beat.on_tick)
        sound = Pcm(draft, made.rate_hz, made.channels)
        report = draft.with_name(f"{draft.name}.report")
        loudness, measured = await measure_sound(sound, made.channels, report, beat.on_tick)
        await here.store.put(told, loudness.model_dump_json().encode())
        return in_turn(finished, measured)

    done = await once(here, key, 0, make)
    titles = [made.job.timeline[number].chapter for number in made.job.line]
    decoded = [part.decoded for part in request.parts]
    return MixDone(
        done=done.model_copy(update={"decode_errors": 0}),
        samples=timeline.samples,
        loudness=Loudness.model_validate_json(await here.store.read(told)),
        chapters=tuple(
            ChapterMark(first=mark.first, end=mark.end, title=mark.title)
            for mark in timeline.chapters(titles)
        ),
        decisions=decisions_of(made, parts, timeline, decoded),
        warnings=warnings_of(made, parts, timeline),
    )


@implements(LEVEL_SOUND, stage="normalizing")
async def level_sound(request: LevelSoundRequest, beat: Beat) -> LevelDone:
    """The mix, or a part alone, in an output's codec, at the job's level."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    encoding, sound = _encoding(made, request.output), await _sound(here, made, request)
    alone = request.number is not None
    beat.total_s = sound.samples / sound.rate_hz
    key = content_key(
        "level",
        sound=request.key,
        recipe=[
            *encoding.arguments,
            *encoding.given_back,
            *front(sound, encoding, alone=alone),
            sound.rate_hz,
        ],
        dither=dither(encoding.track),
        aim=made.aim.model_dump(mode="json"),
        before=request.before.model_dump(mode="json"),
        device=device_class(encoding.output.codec),
        engine=engine_version(),
    )
    told = content_key("levelled", part=key)

    async def make(draft: Path) -> Finished:
        result = await level_file(
            *(sound, encoding, request.before, made.aim, draft, beat.on_tick), alone=alone
        )
        answer = LevelDone(
            warnings=result.warnings, levelled=levelled(result, 1, made.aim, request.before)
        )
        await here.store.put(told, answer.model_dump_json().encode())
        return result.finished

    done = await once(here, key, 0, make)
    answer = LevelDone.model_validate_json(await here.store.read(told))
    return answer.model_copy(update={"done": done.model_copy(update={"decode_errors": 0})})


@implements(FINISH_SOUND, stage="assembling")
async def finish(request: FinishSoundRequest, beat: Beat) -> FinishDone:
    """A finished file: in its format, with tags, chapters and cover, and proven."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    encoding = _encoding(made, request.output)
    carrier, image = await here.store.hold(request.key), request.cover
    cover = cover_at(await here.storage(image.uri).localize(image)) if image else None
    tags = tags_of(made.job, request.number)
    marks = _marks(request.chapters)
    text = metadata(tags, marks, made.rate_hz, encoding.output.codec, cover)
    key = content_key(
        "finished",
        sound=request.key,
        metadata=text,
        cover=image.sha256 if image else None,
        muxer=encoding.muxer,
        samples=request.samples,
        engine=engine_version(),
    )
    told = content_key("told", part=key)

    async def make(draft: Path) -> Finished:
        finished = await finish_file(carrier, encoding, text, cover, draft, beat.on_tick)
        facts = await prove(draft, encoding, request.samples, made.rate_hz)
        await here.store.put(told, facts.model_dump_json().encode())
        return finished

    done = await once(here, key, 0, make)
    facts = MediaFacts.model_validate_json(await here.store.read(told))
    uri = encoding.output.uri
    if request.number is not None:
        uri = made.job.segment_uri(request.number) or uri
    return FinishDone(done=done, media=facts, warnings=not_taken(tags, marks, cover, facts, uri))


@implements(DESCRIBE_SOUND, stage="assembling")
async def describe(request: DescribeRequest, beat: Beat) -> EncodeDone:
    """Chapters as JSON, or peaks or a picture of the finished sound."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    sound = await here.store.hold(request.key)
    document: bytes | None = None
    drawn: tuple[PreviewPart, ...] = ()
    if request.kind == "chapters":
        document = chapters_json(_marks(request.chapters), made.rate_hz, made.job.tags)
    else:
        drawn = (request.kind,)
    key = content_key(
        request.kind,
        sound=request.key,
        document=document.decode() if document else None,
        engine=engine_version(),
    )

    async def make(draft: Path) -> Finished:
        if document is not None:
            await asyncio.to_thread(draft.write_bytes, document)
            return NO_WORK
        facts, _ = await inspect_in_child(sound)
        beat.total_s = facts.duration_s
        shown = plan_preview(facts, None, Preview(input="sound", output="folder", parts=drawn))
        (part,) = (part for part in shown.parts if isinstance(part, Sound))
        return await make_sound(sound, shown, part, draft, beat.on_tick)

    return await once(here, key, 0, make)


def _encoding(made: StitchPlan, number: int) -> Encoding:
    output = made.job.outputs[number]
    return Encoding(output, made.output_rate(output), made.channels)


async def _sound(here: Place, made: StitchPlan, request: LevelSoundRequest) -> Pcm:
    alone = request.number
    channels = made.channels if alone is None else made.parts[alone].sound.channels
    return Pcm(await here.store.hold(request.key), made.rate_hz, channels)


def _marks(chapters: tuple[ChapterMark, ...]) -> list[Mark]:
    return [Mark(mark.first, mark.end, mark.title) for mark in chapters]
