"""Probes for a target quality: samples of the source, encoded and measured."""

from __future__ import annotations

import json
from dataclasses import replace

from activities.encode import begin, check_engine, encode_at_quality
from activities.plan import keep, planned
from activities.running import Beat, implements
from longtake.contracts.encode import VideoSettings
from longtake.contracts.steps import (
    PLAN_SAMPLES,
    PROBE_SAMPLE,
    PlanRequest,
    SampleRequest,
    SampleScored,
    SamplesPlanned,
)
from longtake.quality import VMAF_MODEL
from media.samples import check_measurable, with_samples
from media.tools import engine_version
from media.vmaf import EVERY, score
from storage.work import content_key


@implements(PLAN_SAMPLES, stage="planning")
async def plan_samples(request: PlanRequest, beat: Beat) -> SamplesPlanned:
    """Choose the samples, and put the plan that has them as chunks in the work store."""
    plan, index = await planned(request)
    check_measurable(request.admission.facts, plan)
    samples: tuple[int, ...] = ()
    if plan.video and plan.video.chunks and index:
        plan, samples = with_samples(plan, index)
    return SamplesPlanned(plan_key=await keep(plan), samples=samples, engine=engine_version())


@implements(PROBE_SAMPLE, stage="planning")
async def probe_sample(request: SampleRequest, beat: Beat) -> SampleScored:
    """Encode a sample as the job would at this CRF, and score it; both lie in the work store."""
    check_engine(request.chunk.engine)
    work = await begin(request.chunk, beat)
    video = work.video
    asked = video.settings.model_dump() | {"crf": request.crf, "quality": None}
    video = video.model_copy(update={"settings": VideoSettings.model_validate(asked)})
    work = replace(work, video=video, plan=work.plan.model_copy(update={"video": video}))
    encoded = await encode_at_quality(work, beat)
    key = content_key(
        "vmaf", chunk=encoded.key, model=VMAF_MODEL, every=EVERY, engine=engine_version()
    )
    store = work.here.store
    if await store.has(key):
        known = json.loads(await store.read(key))
        return SampleScored(vmaf=known["vmaf"], frames=encoded.frames, stats=encoded.stats)
    with store.drafting("vmaf") as report:
        vmaf, finished = await score(
            *(work.source, work.plan, work.chunk, await store.hold(encoded.key), report),
            *(beat.on_tick, work.mark),
        )
    await store.put(key, json.dumps({"vmaf": round(vmaf, 4)}).encode())
    stats = encoded.stats
    return SampleScored(
        vmaf=round(vmaf, 4),
        frames=encoded.frames,
        stats=stats.model_copy(
            update={
                "encode_s": round(stats.encode_s + finished.wall_s, 3),
                "cpu_s": round(stats.cpu_s + finished.cpu_s, 3),
            }
        ),
    )
