"""Wall and CPU time, of one command or of a whole tree of processes.

CPU of a command is what the kernel tells who waits for it (`wait4`). CPU of a service is the
sum over its living processes of their own time and the time of children they have waited for,
after less before: the kernel hands a child's time, and that of its children, to who waited for
it, so encoders and probes that have ended are counted, whatever ran in between.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import machine
from bench.report import Series, series
from media.children.process import NICENESS


@dataclass(frozen=True)
class Cost:
    """What a piece of work took. `others_s`: CPU seconds of everybody else at that time."""

    wall_s: float
    cpu_s: float
    others_s: float

    def less(self, earlier: Cost) -> Cost:
        """What came after an earlier reading of the same meter."""
        return Cost(
            self.wall_s - earlier.wall_s,
            self.cpu_s - earlier.cpu_s,
            max(0.0, self.others_s - earlier.others_s),
        )


class CommandFailed(Exception):
    """A command that was measured did not work."""


class Meter:
    """Measures what a tree of processes, and this process, take from now on."""

    def __init__(self, *roots: int) -> None:
        self._roots = roots
        self._cpu = self._now()
        self._busy = machine.busy_s()
        self._started = time.monotonic()

    def read(self, orphans_s: float = 0.0) -> Cost:
        """The cost so far. `orphans_s`: CPU of processes whose parent can no longer tell."""
        wall_s = time.monotonic() - self._started
        cpu_s = self._now() - self._cpu + orphans_s
        return Cost(wall_s, cpu_s, max(0.0, machine.busy_s() - self._busy - cpu_s))

    def _now(self) -> float:
        return time.process_time() + sum(tree_cpu_s(root) for root in self._roots)


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process and its descendants, living and waited for."""
    try:
        process = psutil.Process(root)
        return cpu_s([process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0.0


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds of these processes and of the children they have waited for."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


async def run(command: Sequence[str], log: Path | None = None) -> Cost:
    """Run a command, as nice as Longtake's own encoders, and measure it.

    On an idle machine niceness changes nothing; on a busy one both are pushed aside alike.
    Raises CommandFailed.
    """
    return await asyncio.to_thread(_run, ["nice", "-n", str(NICENESS), *command], log)


def _run(command: Sequence[str], log: Path | None) -> Cost:
    busy, started = machine.busy_s(), time.monotonic()
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a group of its own to Linux, as each encoder is
        )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CommandFailed(f"exit code {process.returncode}: {' '.join(command)}")
    used = usage.ru_utime + usage.ru_stime
    return Cost(wall_s, used, max(0.0, machine.busy_s() - busy - used))


def wall(name: str, costs: Sequence[Cost]) -> Series:
    """Wall times as a series."""
    return series(name, "s", [cost.wall_s for cost in costs])


def cpu(name: str, costs: Sequence[Cost]) -> Series:
    """CPU times as a series."""
    return series(name, "s", [cost.cpu_s for cost in costs])


def neighbours(**costs: Sequence[Cost]) -> str:
    """How much of the machine others took: a ratio of walls is only as good as these are equal."""
    cores = os.cpu_count() or 1
    shares = {
        name: statistics.median(cost.others_s / (cost.wall_s * cores) for cost in each)
        for name, each in costs.items()
    }
    told = ", ".join(f"{share:.0%} during {name}" for name, share in shares.items())
    return f"other programs and the host took of the processors (median): {told}"
