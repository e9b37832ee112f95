"""A service of its own to measure: private home, kept warm, its work store emptied on demand."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.cost import Cost, Meter
from bench.footage import Footage
from bench.recipe import Recipe
from longtake import JobResult, Longtake, Transcode, service
from longtake.embedded import ServiceState, WorkerState, state_file
from longtake.kinds import AnyJob
from longtake.settings import Home

_ELSEWHERE = ("LONGTAKE_HOME", "LONGTAKE_WORK_STORE", "TEMPORAL_ADDRESS", "TEMPORAL_PROFILE")


@dataclass
class Lab:
    """A running embedded service and a client of it."""

    home: Home
    longtake: Longtake
    jobs: int = 0

    @property
    def state(self) -> ServiceState:
        """What the service says of itself now."""
        state = ServiceState.read(state_file(self.home))
        assert state is not None, "the service has stopped"
        return state

    @property
    def media_worker(self) -> WorkerState:
        """The worker that encodes."""
        return next(worker for worker in self.state.workers if "cpu" in worker.roles)

    def parts(self) -> dict[str, psutil.Process]:
        """The service's lasting processes, by what they are."""
        state = self.state
        found = {"supervisor": psutil.Process(state.pid)}
        found |= {
            f"worker {each.name}": psutil.Process(each.pid) for each in state.workers if each.pid
        }
        for process in found["supervisor"].children(recursive=True):
            try:
                words = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if "start-dev" in words:
                found["Temporal server"] = process
            elif "forkserver" in words:
                # The first: its children, the probes, have the same command line.
                found.setdefault("fork server of probes", process)
        return found

    def lives(self) -> dict[str, int]:
        """Pids of the service's lasting processes; another pid is another life."""
        return {name: process.pid for name, process in self.parts().items()}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds by part so far; children that have ended apart from their parents."""
        found = {"client": time.process_time()}
        for name, process in self.parts().items():
            times = process.cpu_times()
            found[name] = times.user + times.system
            found[f"children of {name}"] = times.children_user + times.children_system
        return found

    def empty(self) -> None:
        """Forget all finished steps and fingerprints, as if nothing had ever been done."""
        for folder in (self.home.work_store, self.home.cache):
            shutil.rmtree(folder, ignore_errors=True)

    def output(self, suffix: str = ".mp4") -> Path:
        """A place for the next output."""
        return self.home.path / f"output-{self.jobs}{suffix}"

    def next_job(self, recipe: Recipe, footage: Footage) -> Transcode:
        """A job that nobody has asked for before."""
        self.jobs += 1
        return recipe.job(footage.path, self.output(), f"bench-{self.jobs}")

    async def run(self, job: AnyJob) -> tuple[Cost, JobResult]:
        """Run a job as a Python program would; the cost is that of service and client."""
        meter = Meter(self.state.pid)
        result = await self.longtake.run(job)
        return meter.read(), result


@contextlib.asynccontextmanager
async def lab() -> AsyncIterator[Lab]:
    """A fresh service, and its end."""
    with private_home() as home:
        try:
            async with Longtake.connect() as longtake:
                await longtake.temporal()
                yield Lab(home, longtake)
        finally:
            await service.stop(home)


@contextlib.contextmanager
def private_home() -> Iterator[Home]:
    """Point this process, and the service it will start, at an empty home."""
    before = {name: os.environ.pop(name, None) for name in _ELSEWHERE}
    folder = tempfile.mkdtemp(prefix="longtake-bench-")
    os.environ["LONGTAKE_HOME"] = folder
    try:
        yield Home.from_environment()
    finally:
        del os.environ["LONGTAKE_HOME"]
        os.environ.update({name: value for name, value in before.items() if value is not None})
        shutil.rmtree(folder, ignore_errors=True)
