"""`batch`: thousands of items that cost next to nothing, while processes are killed."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from pathlib import Path

import psutil
from temporalio.client import Client

from bench import footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, alone, series
from longtake import JobHandle
from longtake.contracts.batch import Batch, ItemResult
from longtake.contracts.result import JobResult, Progress
from longtake.errors import ServiceUnreachable

HOW = (
    "A batch of copies of one tiny file, each copied by a job of its own (preset remux), on a "
    "fresh service; in turn the control worker, the media worker and the Temporal server get "
    "SIGKILL, one of them every minute. Meanwhile `list` and `status` are asked. Every item "
    "must be in the report once, with its output in place."
)
KILL_EVERY_S = 60.0
PARALLEL = 16


async def measure(options: Options) -> Measurement:
    """One batch, from start to report."""
    items = options.items or (60 if options.quick else 5_000)
    measurement = Measurement("batch", f"a batch of {items} items, with kills", HOW)
    clip = await footage.plain(options.out / "media", "160x90", 1)
    async with lab() as here:
        folder = here.home.path / "in"
        folder.mkdir()
        for number in range(items):
            shutil.copyfile(clip.path, folder / f"{number:05}.mp4")
        before = {name: process.memory_info().rss for name, process in here.parts().items()}
        job = Batch(
            id="bench-batch",
            input=f"{folder}/*.mp4",
            output=str(here.home.path / "made"),
            job={"preset": "remux"},
            max_parallel=PARALLEL,
        )
        begun = time.monotonic()
        handle = await here.longtake.start(job)
        async with _kills(here) as killed, _asked(here, handle.id) as answers:
            result = await _result(handle)
        took_s = time.monotonic() - begun
        report = Path(result.outputs[0].uri)
        _check(report, items)
        after = {name: process.memory_info().rss for name, process in here.parts().items()}
        listed = await _seconds(here.longtake.list())
        await _tell(measurement, here, handle.id, items, took_s)
        measurement.notes += [
            f"killed: {dict(collections.Counter(killed))}",
            f"`list` and `status` while it ran: {len(answers)} times, at most {max(answers):.2f} s",
            f"`list` after it: {listed:.2f} s",
            *(
                f"memory of {name}: {before.get(name, 0) / 2**20:.0f} → {size / 2**20:.0f} MiB"
                for name, size in after.items()
            ),
        ]
    return measurement


async def _result(handle: JobHandle) -> JobResult:
    while True:
        with contextlib.suppress(ServiceUnreachable):  # its server was just killed
            return await handle.result()
        await asyncio.sleep(1)


async def _tell(
    measurement: Measurement, here: Lab, job_id: str, items: int, took_s: float
) -> None:
    events = await _events(await here.longtake.temporal(), job_id)
    database = sum(path.stat().st_size for path in here.home.server.glob("temporal.db*"))
    measurement.rows += [
        alone("wall", series("wall", "s", [took_s])),
        alone("items a second", series("rate", "1/s", [items / took_s])),
        alone("events of a run of the batch", series("events", "", events)),
        alone("runs", series("runs", "", [len(events)])),
        alone("database, an item", series("database", "kB", [database / items / 1000])),
    ]


async def _events(client: Client, job_id: str) -> list[float]:
    runs = client.list_workflows(f"WorkflowId = '{job_id}'")
    return [float(run.history_length) async for run in runs]


def _check(report: Path, items: int) -> None:
    results = [ItemResult.model_validate_json(line) for line in report.open(encoding="utf-8")]
    assert [result.number for result in results] == list(range(items)), "each item once"
    assert all(result.state == "succeeded" for result in results)
    assert all(Path(result.output).is_file() for result in results)
    assert len({result.output for result in results}) == items


@contextlib.asynccontextmanager
async def _kills(here: Lab) -> AsyncIterator[list[str]]:
    """SIGKILL to one part after the other."""
    killed: list[str] = []

    async def kill() -> None:
        for part in itertools.cycle(("worker control", "worker io", "Temporal server")):
            await asyncio.sleep(KILL_EVERY_S)
            for name, process in here.parts().items():
                if name.startswith(part):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                        killed.append(part)

    async with _beside(kill()):
        yield killed


@contextlib.asynccontextmanager
async def _asked(here: Lab, job_id: str) -> AsyncIterator[list[float]]:
    """How long the service takes to tell of the batch."""
    answers = [0.0]

    async def ask() -> None:
        while True:
            with contextlib.suppress(Exception):  # a server that was just killed does not answer
                answers.append(await _seconds(here.longtake.list()))
                answers.append(await _seconds(_first(here.longtake.progress(job_id))))
            await asyncio.sleep(5)

    async with _beside(ask()):
        yield answers


async def _first(told: AsyncIterator[Progress]) -> Progress:
    return await anext(told)


async def _seconds(call: Awaitable[object]) -> float:
    begun = time.monotonic()
    await call
    return time.monotonic() - begun


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
