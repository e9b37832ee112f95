"""Keeps processes running: restarts what ends, drains what must stop, leaves no orphan.

Children are started from the main thread, by way of workers/launch.py: the parent-death
signal comes when the thread that started them ends.
"""

from __future__ import annotations

import asyncio
import collections
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

log = structlog.get_logger("longtake.supervisor")

CRASHES = 5
WINDOW_S = 60.0
"""A program that crashes five times in a minute is not started again."""

CANNOT_START = 126

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Program:
    """What is kept running."""

    name: str
    command: Callable[[int], Sequence[str]]
    """The command line, given the descriptor on which it may say that it is ready."""
    patience_s: float
    """From SIGTERM to SIGKILL."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    inherits: tuple[int, ...] = ()
    output: int | None = None
    """Descriptor for what it writes; default: where its supervisor writes."""


class Kept:
    """A program that runs until it is told to stop, or gives up."""

    def __init__(self, program: Program, on_change: Callable[[], None] = lambda: None) -> None:
        self.program = program
        self.ready = asyncio.Event()
        self.state = "starting"
        self.pid: int | None = None
        self.restarts = 0
        self.problem: str | None = None
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._crashes: collections.deque[float] = collections.deque(maxlen=CRASHES)

    async def keep(self) -> None:
        """Run it again and again. Returns once it has stopped or given up."""
        while not self._stopping.is_set():
            code = await self._run_once()
            if self._stopping.is_set():
                break
            if self._gives_up(code):
                return
            self.restarts += 1
            self._become("restarting")
            await self._pause()
        self._become("stopped")

    def stop(self) -> None:
        """Ask it to stop; `keep` returns when it has, or after its patience has killed it."""
        self._stopping.set()
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._stopping.set()
        self._send(signal.SIGKILL)

    async def _run_once(self) -> int:
        """Its exit code; that of a shell if it cannot be started for want of memory or pids."""
        reader, writer = os.pipe()
        try:
            process = await self._start(writer)
        except OSError as error:
            log.error(f"{self.program.name} cannot be started: {error}")
            os.close(reader)
            return CANNOT_START
        finally:
            os.close(writer)
        listening = asyncio.ensure_future(self._listen(reader))
        dying = asyncio.ensure_future(self._kill_late())
        try:
            return await process.wait()
        finally:
            self.pid = None
            listening.cancel()
            dying.cancel()

    async def _start(self, ready: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LAUNCHER)),
            *(str(os.getpid()), str(signal.SIGTERM.value)),
            *self.program.command(ready),
            stdin=subprocess.DEVNULL,
            stdout=self.program.output,
            stderr=self.program.output,
            env=dict(self.program.environment),
            pass_fds=(ready, *self.program.inherits),
            # Ctrl-C in a terminal reaches the supervisor alone, which stops in order.
            start_new_session=True,
        )
        self.pid = process.pid
        log.info("started", program=self.program.name, child=process.pid)
        self._become("starting")
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        return process

    async def _listen(self, descriptor: int) -> None:
        """Wait for the line that says it is ready."""
        reader = asyncio.StreamReader()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            if await reader.readline():
                self.ready.set()
                self._become("running")
        finally:
            transport.close()

    async def _kill_late(self) -> None:
        await self._stopping.wait()
        await asyncio.sleep(self.program.patience_s)
        log.warning("did not stop in time: killed", program=self.program.name, child=self.pid)
        self._send(signal.SIGKILL)

    def _gives_up(self, code: int) -> bool:
        how = _words(code)
        log.warning("ended", program=self.program.name, how=how)
        if code > 0 and not self.ready.is_set():
            return self._give_up(f"it refused to start ({how}); its log says why")
        self._crashes.append(time.monotonic())  # also with exit code 0: nobody asked it to end
        if self._recent_crashes() == CRASHES:
            return self._give_up(f"it crashed {CRASHES} times within {WINDOW_S:.0f} s, last: {how}")
        return False

    def _give_up(self, problem: str) -> bool:
        self.problem = problem
        log.error(f"{self.program.name} is not started again: {problem}")
        self._become("given up")
        return True

    def _recent_crashes(self) -> int:
        return sum(time.monotonic() - crash < WINDOW_S for crash in self._crashes)

    async def _pause(self) -> None:
        """A first crash is mended at once; then 0.4 s, 1.6 s, 5 s."""
        pause = min(5.0, 0.1 * 4 ** max(0, self._recent_crashes() - 1))
        try:
            await asyncio.wait_for(self._stopping.wait(), pause)
        except TimeoutError:
            pass

    def _send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def _become(self, state: str) -> None:
        self.state = state
        self._on_change()


def _words(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def kill_all(programs: Iterable[Kept]) -> None:
    """End all of them now."""
    for kept in programs:
        kept.kill()


async def stop_in_order(*groups: Sequence[tuple[Kept, asyncio.Future[None]]]) -> None:
    """Stop one group after the other, each at once within."""
    for group in groups:
        for kept, _ in group:
            kept.stop()
        await asyncio.gather(*(task for _, task in group))
