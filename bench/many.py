"""`many`: two thousand jobs that cost next to nothing, at once: what the service itself takes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench import footage, history
from bench.answers import asked
from bench.cost import Cost, Meter
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, Row, alone, series
from longtake import Command
from longtake.errors import LongtakeError

HOW = (
    "A clip of one second of 160x90, copied packet by packet (`Command`, `-c copy`), each of other "
    "content, all started at once by one client. Jobs a second: from the first start to the last "
    "end. History: of every tenth job. Database: the embedded server's file and its write-ahead "
    "log. Memory: resident set of the service's lasting processes, every second."
)
JOBS, QUICK_JOBS = 2000, 20
MIB = 1 << 20

Sizes = list[dict[str, float]]
"""MiB of each process, second by second."""


async def measure(options: Options) -> Measurement:
    """Start them, watch the service, and count."""
    jobs = options.jobs or (QUICK_JOBS if options.quick else JOBS)
    measurement = Measurement("many", f"{jobs} jobs that copy a tiny file", HOW)
    clip = await footage.plain(options.out / "media", "160x90", 1)
    async with lab() as here:
        clips = footage.copies(clip, here.home.path / "clips", jobs + 1)
        asks = [_job(here, number, each.path) for number, each in enumerate(clips)]
        await here.longtake.run(asks.pop())  # the first job waits for what is loaded once
        lives, database = here.lives(), _database_bytes(here)
        async with _watched(here) as sizes, asked() as answers:
            since = time.monotonic()
            took, failures = await _all(here, asks)
            measurement.rows += answers.rows(since, time.monotonic())
        died = [name for name, pid in lives.items() if here.lives().get(name) != pid]
        lost = _lost(asks)
        grown = (_database_bytes(here) - database) / jobs / 1000
        measurement.rows = [
            alone("jobs lost", series("Longtake", "jobs", [lost]), 0.0),
            alone("jobs that failed", series("Longtake", "jobs", [len(failures)]), 0.0),
            alone("processes that died", series("service", "", [len(died)]), 0.0),
            alone("jobs a second", series("Longtake", "1/s", [jobs / took.wall_s])),
            alone("CPU a job", series("Longtake", "s", [took.cpu_s / jobs])),
            *await _histories(here, [job for job in asks if job.id not in failures][::10]),
            alone("database a job", series("Longtake", "kB", [grown])),
            *measurement.rows,
        ]
        measurement.tables["MiB of memory"] = _growth(sizes)
        told = [f"{job_id}: {words}" for job_id, words in failures.items()]
        measurement.notes += [*told[:5], *answers.failures[:5]]
    return measurement


def _job(here: Lab, number: int, clip: Path) -> Command:
    output = here.home.path / f"copy-of-{number}.mp4"
    return Command(
        id=f"bench-{number}", input=str(clip), output=str(output), arguments=("-c", "copy")
    )


async def _all(here: Lab, jobs: Sequence[Command]) -> tuple[Cost, dict[str, str]]:
    meter = Meter(here.state.pid)
    failures: dict[str, str] = {}

    async def run(job: Command) -> None:
        try:
            await here.longtake.run(job)
        except LongtakeError as error:
            failures[str(job.id)] = str(error)

    await asyncio.gather(*(run(job) for job in jobs))
    return meter.read(), failures


def _lost(jobs: Sequence[Command]) -> int:
    return sum(not Path(job.output).exists() for job in jobs)


async def _histories(here: Lab, jobs: Sequence[Command]) -> list[Row]:
    client = await here.longtake.temporal()
    lengths = [await history.length(client, str(job.id)) for job in jobs]
    tries = sum(each.tries.get("run_command", 0) for each in lengths)
    return [
        alone("commands run too often", series("Longtake", "", [tries - len(jobs)]), 0.0),
        alone("events a job", series("Longtake", "events", [each.events for each in lengths])),
        alone("history a job", series("Longtake", "kB", [each.bytes / 1000 for each in lengths])),
    ]


def _database_bytes(here: Lab) -> int:
    return sum(path.stat().st_size for path in here.home.server.glob("temporal.db*"))


@contextlib.asynccontextmanager
async def _watched(here: Lab) -> AsyncIterator[Sizes]:
    """Memory of the service's processes, each second, from before the first start."""
    sizes: Sizes = []

    async def watch() -> None:
        while True:
            parts = here.parts()
            sizes.append({name: each.memory_info().rss / MIB for name, each in parts.items()})
            await asyncio.sleep(1)

    watching = asyncio.ensure_future(watch())
    try:
        yield sizes
    finally:
        watching.cancel()


def _growth(sizes: Sizes) -> list[dict[str, str]]:
    return [
        {
            "process": name,
            "before": f"{sizes[0][name]:.0f}",
            "half-way": f"{sizes[len(sizes) // 2].get(name, 0):.0f}",
            "at the end": f"{sizes[-1].get(name, 0):.0f}",
            "largest": f"{max(each.get(name, 0) for each in sizes):.0f}",
        }
        for name in sizes[0]
    ]
