"""`latency`: what a short job takes on top of the bare FFmpeg command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench import cost, footage, history
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import SMOKE, Recipe
from bench.report import Measurement, difference
from longtake.contracts.result import JobResult

HOW = (
    "A clip of two seconds, preset web-1080p's settings: bare FFmpeg and a job in turn, on a warm "
    "service whose work store is emptied before each job. A job is timed from the call of "
    "`Longtake.run` to its return, in a client that is connected."
)
AT_MOST_S = 0.6
WEB = Recipe(gop_s=4, max_bitrate_bps=8_000_000, audio_bps=160_000)


async def measure(options: Options) -> Measurement:
    """Measure a small and a large picture."""
    measurement = Measurement("latency", "job less bare FFmpeg, 2 s clip, warm service", HOW)
    recipe = SMOKE if options.quick else WEB
    sizes = ("640x360",) if options.quick else ("640x360", "1920x1080")
    async with lab() as here:
        for size in sizes:
            clip = await footage.plain(options.out / "media", size, 2)
            await _compare(measurement, here, recipe, clip, size, options.rounds_of(9))
    return measurement


async def _compare(
    measurement: Measurement, here: Lab, recipe: Recipe, clip: Footage, size: str, rounds: int
) -> None:
    bare, ours, spent, parts = [], [], [], []
    await _job(here, recipe, clip)  # the first job of a service waits for what is loaded once
    for _ in range(rounds):
        command = recipe.command(clip.path, here.output(".bare.mp4"), clip.fps)
        bare.append(await cost.run(command))
        before = here.cpu_s()
        took, where = await _job(here, recipe, clip)
        ours.append(took)
        spent.append(where)
        parts.append({name: s - before.get(name, 0.0) for name, s in here.cpu_s().items()})
    measurement.rows += [
        difference(
            f"{size}: wall",
            cost.wall("Longtake", ours),
            cost.wall("bare FFmpeg", bare),
            AT_MOST_S,
        ),
        difference(f"{size}: CPU", cost.cpu("Longtake", ours), cost.cpu("bare FFmpeg", bare)),
    ]
    measurement.notes.append(f"{size}: {cost.neighbours(FFmpeg=bare, Longtake=ours)}")
    measurement.tables |= {
        f"{size}: where the time goes (medians)": _in_ms("phase", spent),
        f"{size}: who computes (medians)": _in_ms("CPU of", parts),
    }


def _in_ms(head: str, runs: Sequence[dict[str, float]]) -> list[dict[str, str]]:
    return [
        {head: name, "ms": f"{seconds * 1000:.0f}"}
        for name, seconds in history.medians(runs).items()
    ]


async def _job(here: Lab, recipe: Recipe, clip: Footage) -> tuple[cost.Cost, history.Phases]:
    here.empty()
    job = here.next_job(recipe, clip)
    called = time.time()
    took, result = await here.run(job)
    where = await history.phases(
        await here.longtake.temporal(), result.job_id, called, called + took.wall_s
    )
    _remove(result)
    return took, where


def _remove(result: JobResult) -> None:
    for output in result.outputs:
        Path(output.uri).unlink()
