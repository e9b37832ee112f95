"""Plan a preview, and make its parts unless they are in the work store already."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from activities.admit import probe
from activities.encode import check_engine, once
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.preview import Preview
from longtake.contracts.steps.common import EncodeDone, Piece
from longtake.contracts.steps.preview import MAKE_PART, PLAN_PREVIEW, PartRequest, PreviewSummary
from media.children.process import Finished
from media.ffmpeg.tools import engine_version
from media.preview.plan import PreviewPlan, Sound, plan_preview
from media.preview.stills import make_pictures
from media.sound.peaks import make_sound
from storage.work import content_key


@implements(PLAN_PREVIEW, stage="planning")
async def plan(job: Preview, beat: Beat) -> PreviewSummary:
    """Pin and probe the source, plan, check the folder, and keep the plan in the work store."""
    here = place()
    source = await here.storage(job.input).fingerprint(job.input)
    facts, index_key = await probe(here, source)
    made = plan_preview(facts, await here.index(index_key) if index_key else None, job)
    names = [name for part in made.parts for name in part.names]
    names += ["storyboard.vtt"] if made.webvtt else []
    check = here.storage(job.output).check_folder
    await asyncio.to_thread(partial(check, job.output, job.input, names, overwrite=job.overwrite))
    document = made.model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return PreviewSummary(
        source=source,
        plan_key=key,
        index_key=index_key,
        parts=tuple(
            Piece(
                key="",
                uris=tuple(_in(job.output, name) for name in part.names),
                role=part.role,
            )
            for part in made.parts
        ),
        captions=await _captions(here, job, made),
        media_s=made.media_s,
        engine=engine_version(),
        decisions=made.decisions,
        warnings=made.warnings,
    )


async def _captions(here: Place, job: Preview, made: PreviewPlan) -> Piece | None:
    """The WebVTT of the storyboard: known with the plan, so it is kept at once."""
    if made.webvtt is None:
        return None
    key = content_key("webvtt", text=made.webvtt)
    await here.store.put(key, made.webvtt.encode())
    return Piece(key=key, uris=(_in(job.output, "storyboard.vtt"),), role="storyboard-vtt")


def _in(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


@implements(MAKE_PART, stage="encoding")
async def make_part(request: PartRequest, beat: Beat) -> EncodeDone:
    """One part: pictures, or what is made of the sound."""
    check_engine(request.engine)
    here = place()
    made = PreviewPlan.model_validate_json(await here.store.read(request.plan_key))
    part = made.parts[request.number]
    source = await here.storage(request.source.uri).localize(request.source)
    key = content_key(
        "part",
        source=request.source.sha256,
        recipe=[made.demuxer, made.video, *made.filters, made.color_matrix, str(made.origin_s)],
        tone=[*made.tone, made.files.model_dump(mode="json")],
        part=part.model_dump(mode="json", exclude={"names"}),
        engine=engine_version(),
    )

    def on_fraction(done: float) -> None:
        beat.fraction = max(beat.fraction, done)

    async def make(draft: Path) -> Finished:
        if isinstance(part, Sound):
            beat.total_s = made.media_s
            return await make_sound(source, made, part, draft, beat.on_tick)
        index = await here.index(request.index_key or "")
        return await make_pictures(source, made, index, part, draft, on_fraction)

    done = await once(here, key, 1, make)
    await here.storage(request.source.uri).localize(request.source)
    return done
