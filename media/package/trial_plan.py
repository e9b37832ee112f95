"""The plan of test encodes: which moments of a film are encoded to choose its ladder by, and how.

A pure function of probe, index and job. Every sample is the beginning of a GOP, in every size
of the fixed ladder, at a few qualities and without a cap.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction

from longtake.contracts.base import Contract
from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.encode import VideoSettings
from longtake.contracts.ladder import LadderChoice, LadderRecord
from longtake.contracts.media import MediaFacts
from longtake.contracts.package import Package, PackageCodec, Rung
from longtake.quality import VMAF_MODEL
from media.package.ladder import fixed_ladder
from media.package.plan import PackagePlan, Rendition, cascaded, grid_step, plan_rung
from media.picture.pixels import output_size
from media.probing.index import Index
from media.transcode.chunks import Chunk, seek_point, with_run_in

SAMPLE_S = Fraction(2, 5)
EVERY_S = 45
"""A film has one sample for so many seconds. Test encodes take a twentieth of the CPU time of a job
of a minute, and a twelfth of slides, which are quick to encode (measured: docs/streaming.md)."""
FEWEST_SAMPLES, MOST_SAMPLES = 2, 12

CRFS: dict[PackageCodec, tuple[int, ...]] = {
    "h264": (15, 26, 38),
    "hevc": (16, 28, 40),
    "av1": (18, 37, 55),
}
"""Between them curves are interpolated, and nothing beyond them is chosen. The first is so fine as
test encodes look coarser than the job's own (`trials`). The last is for the largest size
alone: smaller ones that are so coarse lie far below the hull (measured)."""
SPEEDS: dict[PackageCodec, str] = {"h264": "veryfast", "hevc": "veryfast", "av1": "10"}
"""Of test encodes, unless the job's own is faster: half of the CPU of the usual one. The curves
keep their shape, which those of still faster ones do not (measured: x264 at ultrafast)."""
SMALLEST = 32
"""px of a source's shorter side; libvmaf crashes up to 16 (measured)."""
LARGE = 1440
"""px of a source's shorter side: larger ones are scored as on a 4K display."""
LARGE_MODEL = "vmaf_4k_v0.6.1"


class Sample(Contract):
    """The test encodes of one moment of a film, in one codec."""

    plan: PackagePlan
    proof: PackagePlan
    number: int

    @property
    def chunk(self) -> Chunk:
        """The beginning of a GOP."""
        return self.plan.chunks[self.number]

    @property
    def gop(self) -> Chunk:
        """The whole GOP."""
        return self.proof.chunks[self.number]


class TrialPlan(Contract):
    """The test encodes of a package: one plan for each codec, its chunks the samples."""

    plans: tuple[PackagePlan, ...]
    proofs: tuple[PackagePlan, ...]
    """By codec: the smallest size as the job would encode it, its chunks the whole GOPs."""

    @property
    def count(self) -> int:
        """How many steps: each is one sample in one codec."""
        return sum(len(plan.chunks) for plan in self.plans)

    def at(self, number: int) -> Sample:
        """What one step encodes."""
        samples = len(self.plans[0].chunks)
        codec, sample = divmod(number, samples)
        return Sample(plan=self.plans[codec], proof=self.proofs[codec], number=sample)


def why_not_tried(facts: MediaFacts, index: Index) -> str | None:
    """Why a source has no test encodes, in words; None where it can have them."""
    if index.unreliable:
        return f"its moments do not decode by themselves: {index.unreliable}"
    width, height = output_size(facts.video[0], VideoSettings())
    if min(width, height) < SMALLEST:
        return f"VMAF is not defined for {width}x{height} pixels"
    return None


def plan_trials(facts: MediaFacts, index: Index, job: Package) -> TrialPlan:
    """Test encodes for a complete job, of a source that can have them."""
    plans, proofs = [], []
    for codec in job.codecs or ():
        ladder = fixed_ladder(facts.video[0], (codec,))
        tests = [
            rung.model_copy(update={"crf": crf})
            for number, rung in enumerate(ladder)
            for crf in CRFS[codec][: 2 if number else None]
        ]
        own = (job.speed or {}).get(codec)
        fast = job.model_copy(update={"speed": {codec: _speed(codec, own)}})
        plans.append(_plan(facts, index, fast, tests, SAMPLE_S))
        smallest = ladder[-1].model_copy(update={"crf": CRFS[codec][1]})
        proofs.append(_plan(facts, index, job, [smallest], job.gop_s or Fraction(2)))
    return TrialPlan(plans=tuple(plans), proofs=tuple(proofs))


def _plan(
    facts: MediaFacts, index: Index, job: Package, rungs: Sequence[Rung], length_s: Fraction
) -> PackagePlan:
    """All these rungs without their caps, in samples of this length."""
    video = facts.video[0]
    plans = [plan_rung(facts, index, job, rung, sdr=True) for rung in rungs]
    renditions = [
        _uncapped(each)
        for each in cascaded(video, rungs, [plan.picture for plan in plans], video.frame_rate)
    ]
    gop_s = job.gop_s or Fraction(2)
    return PackagePlan(
        demuxer=facts.container,
        origin_s=plans[0].origin_s,
        media_s=plans[0].media_s,
        segment_s=job.segment_s or Fraction(4),
        gop_s=gop_s,
        renditions=tuple(renditions),
        chunks=_samples(renditions[0], index, gop_s, min(length_s, gop_s)),
        sounds=(),
        words=(),
    )


def _speed(codec: PackageCodec, own: str | None) -> str:
    """The faster one of the job's and that of test encodes."""
    speeds = ENCODINGS[codec].speeds
    fastest_first = speeds[::-1] if speeds[0].isdigit() else speeds
    return min(own or SPEEDS[codec], SPEEDS[codec], key=fastest_first.index)


def _uncapped(rendition: Rendition) -> Rendition:
    settings = rendition.video.settings.model_copy(update={"max_bitrate_bps": None})
    video = rendition.video.model_copy(update={"settings": settings})
    return rendition.model_copy(update={"video": video})


def _samples(
    top: Rendition, index: Index, gop_s: Fraction, length_s: Fraction
) -> tuple[Chunk, ...]:
    """The beginnings of a GOP from each part of the film: one as rich as that part is on average,
    and soon after a keyframe of the source, for what lies between is decoded in vain."""
    whole = index.end_pts - index.pts[0]
    count = min(max(FEWEST_SAMPLES, round(whole * index.time_base / EVERY_S)), MOST_SAMPLES)
    gops = _gops(top, index, gop_s)
    last = max(index.end_pts - gop_s / index.time_base, Fraction(index.pts[0]))
    starts = [pts for pts in gops if pts <= last]
    samples = []
    for number in range(count):
        begin, end = (index.pts[0] + whole * n / count for n in (number, number + 1))
        inside = starts[bisect_left(starts, begin) : bisect_left(starts, end)]
        mean = _richness(index, Fraction(begin), Fraction(end))
        if inside:
            start = min(inside, key=lambda pts: _unfit(index, pts, gop_s, mean))
            following = gops[bisect_right(gops, start) :][:1]
            samples.append(_sample(index, start, length_s / index.time_base, following))
    return with_run_in(index, tuple(samples), top.video.reach, top.video.reach)


def _gops(top: Rendition, index: Index, gop_s: Fraction) -> list[int]:
    """The first frame of each GOP."""
    steps = [grid_step(top.video, pts, gop_s) for pts in index.pts]
    return [pts for at, pts in enumerate(index.pts) if at == 0 or steps[at] > steps[at - 1]]


def _unfit(index: Index, start: int, gop_s: Fraction, mean: float) -> float:
    """How far a GOP is from the mean of its part, in parts of it, and what it takes to get there:
    20 s of decoding weigh as much as twice the mean."""
    seek = seek_point(index, start)
    in_vain = (start - (index.pts[0] if seek is None else seek)) * index.time_base
    rich = _richness(index, start, start + gop_s / index.time_base)
    return abs(rich - mean) / max(mean, 1e-9) + float(in_vain) / 20


def _richness(index: Index, begin: Fraction | int, end: Fraction | int) -> float:
    """Bytes of the source for each of its ticks."""
    return float(index.size(math.ceil(begin), math.ceil(end)) / Fraction(end - begin))


def _sample(index: Index, start: int, length: Fraction, following: Sequence[int]) -> Chunk:
    """From `start` on, but not into the GOP that follows."""
    at = bisect_left(index.pts, start + length)
    ends = [*index.pts[at : at + 1], *following]
    return Chunk(
        start_pts=start,
        end_pts=min(ends, default=None),
        seek_pts=seek_point(index, start),
    )


def model_of(plan: PackagePlan) -> str:
    """The VMAF model for the source's size."""
    top = plan.renditions[0]
    return LARGE_MODEL if min(top.width, top.height) > LARGE else VMAF_MODEL


def record_of(trials: TrialPlan, index: Index, choices: Sequence[LadderChoice]) -> LadderRecord:
    """What is kept of an automatic ladder."""
    plan = trials.plans[0]
    starts = [chunk.start_pts for chunk in plan.chunks if chunk.start_pts is not None]
    return LadderRecord(
        model=model_of(plan),
        samples_s=tuple(round(float((pts - index.pts[0]) * index.time_base), 3) for pts in starts),
        sample_s=float(min(SAMPLE_S, plan.gop_s)),
        choices=tuple(choices),
    )


def in_words(record: LadderRecord) -> dict[str, str]:
    """Why the ladder is as it is, for people; by codec."""
    return {f"ladder {choice.codec}": _in_words(record, choice) for choice in record.choices}


def _in_words(record: LadderRecord, choice: LadderChoice) -> str:
    rungs = ", ".join(
        f"{min(rung.width, rung.height)}p at crf {rung.crf:g} "
        f"({rung.bps / 1_000_000:.2g} Mbit/s, VMAF {rung.vmaf:.0f})"
        for rung in choice.rungs
    )
    kept = {(rung.width, rung.height) for rung in choice.rungs}
    others = [each for each in choice.trials if (each.width, each.height) not in kept]
    names = list(dict.fromkeys(f"{min(each.width, each.height)}p" for each in others))
    left_out = f"; not worth it: {', '.join(names)}" if names else ""
    tests = len(choice.trials) * len(record.samples_s)
    by = f"by {tests} test encodes of {len(record.samples_s)} samples"
    if choice.is_fixed:
        return f"begins with the fixed one, as {by} no other takes 5 % less at equal VMAF: {rungs}"
    return f"chosen {by}: {rungs}{left_out}"
