"""`memory`: what worker processes hold, over a hundred jobs, and what a chunk's encoder takes."""

from __future__ import annotations

import asyncio
import statistics

from bench import footage
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import SMOKE
from bench.report import Measurement, alone, series
from longtake import Transcode
from longtake.contracts.encode import VideoOptions
from longtake.errors import LongtakeError
from longtake.presets import encode_presets

HOW = (
    "Resident set of each worker process, after every one of 100 jobs: clips of one second, each "
    "of other content, four jobs at once, so that nothing is reused. Growth: median of the last "
    "20 jobs less median of the ten around the 20th. Encoders: the largest child process of a job "
    "on 12 s of rich 1080p, cut in chunks, by preset."
)
AT_ONCE = 4
MIB = 1 << 20
AT_MOST_MIB, GROWTH_MIB = 150.0, 5.0

Sizes = dict[str, list[float]]
"""MiB of each process, after each job."""


async def measure(options: Options) -> Measurement:
    """Workers first, then encoders."""
    measurement = Measurement("memory", "worker processes and encoders", HOW)
    async with lab() as here:
        await _workers(measurement, here, options)
        await _encoders(measurement, here, options)
    return measurement


async def _workers(measurement: Measurement, here: Lab, options: Options) -> None:
    jobs = 8 if options.quick else 100
    clip = await footage.plain(options.out / "media", "320x180", 1)
    waiting = footage.copies(clip, here.home.path / "clips", jobs)
    at_start, sizes = _sizes(here), Sizes()

    async def take() -> None:
        while waiting:
            await here.longtake.run(here.next_job(SMOKE, waiting.pop()))
            for name, mib in _sizes(here).items():
                sizes.setdefault(name, []).append(mib)

    await asyncio.gather(*(take() for _ in range(AT_ONCE)))
    for name, each in sizes.items():
        early, late = _early(each), each[-jobs // 5 :]
        over, last = series("over all jobs", "MiB", each), series("last jobs", "MiB", late)
        # The target is for workers; the server is not ours to shrink.
        worker = name.startswith("worker")
        measurement.rows += [
            alone(
                f"{name}: largest",
                series("over all jobs", "MiB", [max(over.values)]),
                AT_MOST_MIB if worker else None,
            ),
            alone(
                f"{name}: growth",
                series("late less early", "MiB", [last.median - statistics.median(early)]),
                GROWTH_MIB if worker else None,
            ),
        ]
    measurement.tables["MiB by job"] = [
        {"process": name, "at the start": f"{at_start.get(name, 0):.1f}", **_profile(each)}
        for name, each in sizes.items()
    ]


def _early(sizes: list[float]) -> list[float]:
    """Around the 20th of 100, by then everything is loaded."""
    fifth = len(sizes) // 5
    return sizes[max(0, fifth - 5) : fifth + 5]


def _profile(sizes: list[float]) -> dict[str, str]:
    marks = sorted({len(sizes) * part // 10 for part in (1, 2, 4, 6, 8, 10)} - {0})
    return {f"job {mark}": f"{sizes[mark - 1]:.1f}" for mark in marks}


def _sizes(here: Lab) -> dict[str, float]:
    return {name: process.memory_info().rss / MIB for name, process in here.parts().items()}


async def _encoders(measurement: Measurement, here: Lab, options: Options) -> None:
    film = await footage.rich(options.out / "media", 4 if options.quick else 12)
    rows = []
    for name, preset in encode_presets().items():
        if preset.video.codec != "h264":
            continue
        try:
            stats = (await here.longtake.run(_job(here, film, name, options))).stats
        except LongtakeError as error:
            measurement.notes.append(f"{name} could not be measured: {error}")
            continue
        rows.append(
            {
                "preset": name,
                "speed": preset.video.speed or "",
                "height": str(preset.video.height or "the source's"),
                "chunks": str(stats.chunks),
                "peak MiB": f"{stats.peak_memory_bytes / MIB:.0f}",
            }
        )
    measurement.tables["largest child process, 1080p source"] = rows


def _job(here: Lab, film: Footage, preset: str, options: Options) -> Transcode:
    here.jobs += 1
    video = VideoOptions(speed="ultrafast") if options.quick else VideoOptions(smart_copy=False)
    return Transcode(
        id=f"bench-{here.jobs}",
        input=str(film.path),
        output=str(here.output()),
        preset=preset,
        video=video,
    )
