"""How long a service takes to answer a person, asked all the while from a process of its own.

A program that starts hundreds of jobs is busy itself; what it measured would be its own delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from bench.report import Row, series
from longtake import Longtake
from longtake.errors import LongtakeError

PAUSE_S = 2.0
COMMAND_PAUSE_S = 30.0
"""A command starts an interpreter: asked more often, it would itself be the load. As it is, who
asks takes half a per cent of two cores; asked four times as often it were three."""
WITHIN_S = 1.0

LIST, PROGRESS, COMMAND = "list", "progress", "command"


@dataclass
class Answers:
    """Seconds by question, and what went wrong."""

    taken: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Moment of the monotonic clock, and seconds."""
    failures: list[str] = field(default_factory=list)

    def rows(self, since: float, until: float) -> list[Row]:
        """The slowest answers between two moments; the series has all of them."""
        found = []
        for what, words in _WORDS.items():
            each = [s for at, s in self.taken.get(what, ()) if since <= at <= until]
            if each:
                all_of_them = series("Longtake", "s", each)
                limit = WITHIN_S if what != COMMAND else None
                found.append(Row(f"{words}: slowest", (all_of_them,), max(each), "s", limit))
                found.append(Row(f"{words}: 99th percentile", (all_of_them,), _p99(each), "s"))
        return found


_WORDS = {
    LIST: "`list` of the newest 50",
    PROGRESS: "progress of a job",
    COMMAND: "the command `longtake list`, interpreter and all",
}


@contextlib.asynccontextmanager
async def asked() -> AsyncIterator[Answers]:
    """Ask the service of this process's environment, until the end."""
    answers = Answers()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.answers"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    ready = await process.stdout.readline()
    assert ready, "the process that asks did not start"
    reading = asyncio.ensure_future(_read(process.stdout, answers))
    try:
        yield answers
    finally:
        with contextlib.suppress(ProcessLookupError):
            # With the command that it may be running: that would start the service once more.
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await reading


async def _read(stream: asyncio.StreamReader, answers: Answers) -> None:
    while line := await stream.readline():
        told = json.loads(line)
        if "failed" in told:
            answers.failures.append(told["failed"])
        else:
            answers.taken.setdefault(told["what"], []).append((told["at"], told["s"]))


def _p99(values: Sequence[float]) -> float:
    """Nearest rank: no value between two that were measured."""
    return sorted(values)[max(0, math.ceil(0.99 * len(values)) - 1)]


async def _ask() -> None:
    async with Longtake.connect() as longtake:
        await longtake.temporal()
        print("ready", flush=True)
        await asyncio.gather(_ask_service(longtake), _ask_command())


async def _ask_service(longtake: Longtake) -> None:
    number = 0
    while True:
        with _timed(LIST):
            listed = await longtake.list()
        if listed:
            number += 1
            with _timed(PROGRESS):
                await longtake.get(listed[number * 7 % len(listed)].job_id)
        await asyncio.sleep(PAUSE_S)


async def _ask_command() -> None:
    while True:
        with _timed(COMMAND):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "longtake", "list", "--json"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await process.wait()
        await asyncio.sleep(COMMAND_PAUSE_S)


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    at = time.monotonic()
    try:
        yield
    except LongtakeError as error:
        print(json.dumps({"failed": f"{what}: {error}"}), flush=True)
    else:
        print(json.dumps({"what": what, "at": at, "s": time.monotonic() - at}), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(_ask())
    finally:
        os._exit(0)  # Temporal's core can hang or abort when the interpreter ends
