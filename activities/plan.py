"""The plan of a transcode, from what is known of its source; kept in the work store."""

from __future__ import annotations

from activities.beside import beside
from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.transcode import PLAN, PlanRequest, PlanSummary
from media.ffmpeg.tools import engine_version
from media.probing.index import Index
from media.transcode.analysis import target_bytes
from media.transcode.chunks import heaviest_first
from media.transcode.plan import Clip, Plan
from media.transcode.planning import make_plan
from media.transcode.timing import planned_times
from media.transcode.tracks import sound_left_out
from media.transcode.vmaf import check_measurable
from storage.work import content_key


@implements(PLAN, stage="planning")
async def plan(request: PlanRequest, beat: Beat) -> PlanSummary:
    """Plan, put the plan in the work store, and answer what the workflow must know of it."""
    made, index = await _planned(request)
    aims_at_quality = request.admission.settings.video.quality is not None
    if aims_at_quality:
        check_measurable(request.admission.facts, made)
    return PlanSummary(
        plan_key=await _keep(made),
        chunks=len(made.video.chunks) if made.video else 0,
        order=heaviest_first(index, made.video.chunks) if made.video and index else (),
        frames=made.video.frames if made.video and made.video.chunks else 0,
        target_bytes=target_bytes(made, index) if index else None,
        chunk_frames=_chunk_frames(made, index) if aims_at_quality and index else (),
        media_s=made.media_s,
        sounds=tuple(n for n, audio in enumerate(made.audio) if not audio.copied),
        engine=engine_version(),
        decisions=made.decisions,
        warnings=(*made.warnings, *_unheard(request)),
    )


def _unheard(request: PlanRequest) -> tuple[str, ...]:
    """That there will be no sound is news, unless the job says so itself."""
    if request.job.audio.codec == "none":
        return ()
    return sound_left_out(request.admission.facts, request.admission.settings.container)


def _chunk_frames(made: Plan, index: Index) -> tuple[int, ...]:
    chunks = made.video.chunks if made.video else ()
    return tuple(len(planned_times(made.picture, index, chunk)) for chunk in chunks)


async def _planned(request: PlanRequest) -> tuple[Plan, Index | None]:
    """The plan that is asked for, and the index it was made from."""
    here = place()
    admission, job = request.admission, request.job
    index = await here.index(admission.index_key) if admission.index_key else None
    made = make_plan(
        admission.facts,
        index,
        admission.settings,
        clip=Clip(start=job.start, end=job.end),
        beside=await beside(here, admission),
        crop=request.crop,
        chunk_s=job.chunk_s,
        gpu=request.gpu,
        one_chunk=request.whole,
    )
    return made, index


async def _keep(made: Plan) -> str:
    """Put a plan in the work store, under the key of its own content."""
    document = made.model_dump_json()
    key = content_key("plan", plan=document)
    await place().store.put(key, document.encode())
    return key
