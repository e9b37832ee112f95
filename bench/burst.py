"""`burst`: two hundred short jobs at once, against `xargs -P` with bare FFmpeg on their files."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import cost, footage, history
from bench.answers import asked
from bench.cost import Cost, Meter
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import RICH, SMOKE, Recipe
from bench.report import Measurement, Row, alone, ratio, series
from longtake import Transcode
from longtake.errors import LongtakeError
from media.children.capacity import cores

HOW = (
    "Clips of {seconds} s of the rich film in 1080p, each a file of its own: `xargs -P {cores}` "
    "with a bare FFmpeg for each of one half, then a job for each of all, started at once by one "
    "client, then `xargs` for the other half. Meanwhile another process asks for the list of jobs "
    "and for the progress of one, every two seconds. Encodes are counted in Temporal's histories. "
    "One job's time: alone on the same warm service, before the burst."
)
JOBS, QUICK_JOBS = 200, 12
SECONDS, QUICK_SECONDS = 8, 2
ALONE = 3
WALL, FIRST = 1.03, 2.0
"""Throughput of at least 0.97, and the first result within two jobs' time."""


@dataclass(frozen=True)
class Burst:
    """What one burst gave. Moments in seconds from the first start."""

    cost: Cost
    started_s: Sequence[float]
    ended_s: Sequence[float]
    job_ids: Sequence[str]
    failures: Sequence[str]


async def measure(options: Options) -> Measurement:
    """Half of the bare ones, the burst, the other half, as often as there are rounds."""
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    how = HOW.format(seconds=seconds, cores=cores())
    jobs = options.jobs or (QUICK_JOBS if options.quick else JOBS)
    recipe = SMOKE if options.quick else RICH
    measurement = Measurement("burst", f"{jobs} jobs at once", how)
    clip = await footage.rich(options.out / "media", seconds)
    async with lab() as here:
        clips = footage.copies(clip, here.home.path / "clips", jobs + ALONE + 1)
        alone_s = [await _alone(here, recipe, each) for each in clips[jobs:]][1:]
        before = here.lives()
        async with asked() as answers:
            for _ in range(options.rounds or 1):
                bare = [await _xargs(here, recipe, clips[: jobs // 2])]
                since = time.monotonic()
                burst = await _burst(here, recipe, clips[:jobs])
                until = time.monotonic()
                bare.append(await _xargs(here, recipe, clips[jobs // 2 : jobs]))
                measurement.rows += _compare(burst, bare)
                measurement.rows += await _judge(here, burst, alone_s)
                measurement.rows += answers.rows(since, until)
                measurement.notes += burst.failures
                measurement.notes.append(cost.neighbours(FFmpeg=bare, Longtake=[burst.cost]))
        died = [name for name, pid in before.items() if here.lives().get(name) != pid]
        measurement.rows.append(
            alone("processes that died", series("service", "", [len(died)]), 0.0)
        )
        measurement.notes += answers.failures
    return measurement


async def _alone(here: Lab, recipe: Recipe, clip: Footage) -> float:
    took, _ = await here.run(here.next_job(recipe, clip))
    return took.wall_s


async def _xargs(here: Lab, recipe: Recipe, clips: Sequence[Footage]) -> Cost:
    names = here.home.path / "names"
    names.write_text("".join(f"{clip.path.stem}\n" for clip in clips))
    folder = here.home.path / "bare"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    one = recipe.command(clips[0].path.with_name("{}.mp4"), folder / "{}.mp4", clips[0].fps)
    took = await cost.run(["xargs", "-a", str(names), "-P", str(cores()), "-I{}", *one])
    made = sum(path.stat().st_size > 0 for path in folder.iterdir())
    assert made == len(clips), f"xargs made {made} of {len(clips)}"
    return took


async def _burst(here: Lab, recipe: Recipe, clips: Sequence[Footage]) -> Burst:
    here.empty()
    jobs = [here.next_job(recipe, clip) for clip in clips]
    meter, begun = Meter(here.state.pid), time.monotonic()
    started: list[float] = []
    ended: list[float] = []
    failures: list[str] = []

    async def run(job: Transcode) -> None:
        try:
            handle = await here.longtake.start(job)
            started.append(time.monotonic() - begun)
            await handle.result()
        except LongtakeError as error:
            failures.append(f"{job.id}: {error}")
        ended.append(time.monotonic() - begun)

    await asyncio.gather(*(run(job) for job in jobs))
    took = meter.read()
    return Burst(took, sorted(started), sorted(ended), [str(job.id) for job in jobs], failures)


async def _judge(here: Lab, burst: Burst, alone_s: Sequence[float]) -> list[Row]:
    """Did all finish, none twice; and how soon did the first?"""
    client = await here.longtake.temporal()
    lengths = [await history.length(client, job_id) for job_id in burst.job_ids]
    encodes = [each.tries.get("encode_chunk", 0) for each in lengths]
    again = sum(encodes) - len(encodes) * min(encodes)  # clips of one length have as many chunks
    one, first = series("a job alone", "s", alone_s), series("first", "s", burst.ended_s[:1])
    return [
        alone("jobs that failed", series("Longtake", "jobs", [len(burst.failures)]), 0.0),
        alone("encodes too many", series("Longtake", "encodes", [again]), 0.0),
        ratio("first result against one job alone", first, one, FIRST),
        alone("all are started", series("Longtake", "s", burst.started_s[-1:])),
        alone("events a job", series("Longtake", "events", [each.events for each in lengths])),
    ]


def _compare(burst: Burst, bare: Sequence[Cost]) -> list[Row]:
    """The burst against the bare runs of the two halves, right before and after it."""
    wall_s, cpu_s = sum(half.wall_s for half in bare), sum(half.cpu_s for half in bare)
    ours = [burst.cost]
    return [
        ratio("wall", cost.wall("Longtake", ours), series("xargs -P", "s", [wall_s]), WALL),
        ratio("CPU", cost.cpu("Longtake", ours), series("xargs -P", "s", [cpu_s])),
    ]
