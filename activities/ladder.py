"""Test encodes of an automatic ladder, and the choice by what they measured."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

from activities.borrow import borrow, check_unchanged
from activities.encode import check_engine, once
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.ladder import Trial
from longtake.contracts.media import MediaFacts
from longtake.contracts.package import Package
from longtake.contracts.steps.common import EncodeDone, Piece
from longtake.contracts.steps.package import (
    ENCODE_TRIALS,
    PackageRequest,
    TrialRequest,
    Trials,
)
from media.children.process import Finished
from media.ffmpeg.tools import device_class, engine_version
from media.package.ladder import auto_ladder, chosen_rungs
from media.package.ladder_plot import plot
from media.package.trial_plan import TrialPlan, in_words, plan_trials, record_of, why_not_tried
from media.package.trials import measure_trials, recipe
from media.probing.index import Index
from media.transcode.timing import planned_times
from storage.work import content_key

_WHY = "ladder auto"


@implements(ENCODE_TRIALS, stage="planning")
async def encode_trials(request: TrialRequest, beat: Beat) -> EncodeDone:
    """One sample in all sizes and qualities, and what each measured."""
    check_engine(request.engine)
    here = place()
    planned = TrialPlan.model_validate_json(await here.store.read(request.plan_key))
    index = await here.index(request.index_key)
    sample = planned.at(request.number)
    source = await borrow(here, request.source)
    key = content_key(
        "trials",
        source=request.source.sha256,
        recipe=[sample.plan.demuxer, *recipe(sample)],
        device=device_class(sample.plan.picture.encoder),
        sample=[chunk.model_dump(mode="json") for chunk in (sample.chunk, sample.gop)],
        engine=engine_version(),
    )

    async def measure(draft: Path) -> Finished:
        finished, trials = await measure_trials(source, sample, index, draft, beat.on_tick)
        document = json.dumps([trial.model_dump(mode="json") for trial in trials])
        await asyncio.to_thread(draft.write_text, document)
        return finished

    frames = len(planned_times(sample.plan.picture, index, sample.gop))
    done = await once(here, key, frames, measure)
    await check_unchanged(here, request.source)
    return done


@dataclass(frozen=True)
class Ladder:
    """How far the ladder of a complete job is."""

    job: Package
    """With the rungs, where they are chosen."""
    trials: Trials | None = None
    """Test encodes that have to come first."""
    record: tuple[Piece, ...] = ()
    why: dict[str, str] = field(default_factory=dict)


async def settle_ladder(
    here: Place, facts: MediaFacts, index: Index | None, job: Package, request: PackageRequest
) -> Ladder:
    """Ask for the test encodes of an automatic ladder, or choose by what they measured.

    Where neither can be, the ladder is fixed, and `why` says so.
    """
    if job.ladder != "auto" or not job.codecs or index is None:
        return Ladder(job)
    if request.trials and request.trials.keys:
        return await _choose(here, facts, index, job, request.trials)
    why = (
        "chunks of it do not decode by themselves" if request.whole else why_not_tried(facts, index)
    )
    if why:
        return Ladder(job, why={_WHY: f"fixed, as the source cannot be sampled: {why}"})
    planned = plan_trials(facts, index, job)
    document = planned.model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return Ladder(job, trials=Trials(plan_key=key, count=planned.count))


async def _choose(
    here: Place, facts: MediaFacts, index: Index, job: Package, trials: Trials
) -> Ladder:
    planned = TrialPlan.model_validate_json(await here.store.read(trials.plan_key))
    samples = [
        [Trial.model_validate(each) for each in json.loads(await here.store.read(key))]
        for key in trials.keys
    ]
    choices = auto_ladder(facts.video[0], job.codecs or (), samples, job.crf or {})
    if not choices:
        return Ladder(job, why={_WHY: "fixed, as no test encode keeps within its caps"})
    record = record_of(planned, index, choices)
    return Ladder(
        job.model_copy(update={"ladder": chosen_rungs(choices)}),
        record=(
            await _piece(here, job, "ladder.json", record.model_dump_json(indent=1) + "\n"),
            await _piece(here, job, "ladder.svg", plot(record)),
        ),
        why=in_words(record),
    )


async def _piece(here: Place, job: Package, name: str, text: str) -> Piece:
    key = content_key("record", text=text)
    await here.store.put(key, text.encode())
    return Piece(key=key, uris=(f"{job.output.rstrip('/')}/{name}",), role="ladder")
