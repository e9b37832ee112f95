"""The usual queue, measured: one Celery task that runs a whole FFmpeg command, killed near its end.

The pool's process and its FFmpeg are killed, as Longtake's media worker and its encoders are; the
worker's main process lives on, as Longtake's supervisor does, and starts another. So Celery gives
the task out again at once. Had its main process died too, the task would lie until the broker's
visibility timeout (an hour by default).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.cost import Cost, Meter
from bench.death import freeze, kill
from bench.footage import Footage
from bench.recipe import Recipe

START_S = 60.0
TASK_S = 3600.0


class CeleryMissing(Exception):
    """Celery is not installed."""


@dataclass
class Pool:
    """A Celery worker with one process in its pool, and a client of the same broker."""

    pid: int
    app: Any
    folder: Path

    async def killed_task(
        self, recipe: Recipe, film: Footage, output: Path, at: float
    ) -> tuple[Cost, Cost]:
        """Cost of a task killed at `at` of its way and run again, and of the second try alone."""
        progress = self.folder / "celery.progress"
        progress.unlink(missing_ok=True)
        command = recipe.command(film.path, output, film.fps)
        meter = Meter(self.pid)
        answer = self.app.send_task("bench.transcode", [command, str(progress)])
        while _told_s(progress) < at * film.seconds:
            assert not answer.ready(), "the task was over before it could be killed"
            await asyncio.sleep(0.05)
        (process,) = psutil.Process(self.pid).children()
        frozen = freeze(process.pid)
        first = meter.read()
        orphans_s = kill(frozen)
        await asyncio.to_thread(answer.get, timeout=TASK_S)
        both = meter.read(orphans_s)
        return both, both.less(first)


@contextlib.asynccontextmanager
async def worker(url: str, folder: Path) -> AsyncIterator[Pool]:
    """A warm Celery worker. Raises CeleryMissing."""
    if importlib.util.find_spec("celery") is None:
        raise CeleryMissing("Celery is not installed: pip install -e '.[bench]'")
    os.environ["BENCH_REDIS_URL"] = url
    process = await asyncio.to_thread(_start, folder)
    try:
        app = importlib.import_module("bench.celery_app").app
        await asyncio.to_thread(_until_ready, app, process)
        yield Pool(process.pid, app, folder)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "celery", "-A", "bench.celery_app", "worker"]
    command += ["--pool", "prefork", "--concurrency", "1", "--loglevel", "info"]
    with (folder / "celery.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=Path(__file__).parents[1], stdout=log, stderr=log, start_new_session=True
        )


def _until_ready(app: Any, process: subprocess.Popen[bytes]) -> None:
    for _ in range(int(START_S)):
        if app.control.ping(timeout=1.0):
            return
        if process.poll() is not None:
            break
    raise CeleryMissing("the Celery worker does not answer; see celery.log in the output folder")


def _told_s(progress: Path) -> float:
    """Seconds of the film that FFmpeg says it has made."""
    try:
        found = re.findall(r"out_time_us=(\d+)", progress.read_text())
    except FileNotFoundError:
        return 0.0
    return int(found[-1]) / 1e6 if found else 0.0
