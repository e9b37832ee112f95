"""Supervised child processes: capped, watched, ended as a group, never orphaned.

See the design, section 4. The watchdog tells a stalled process from a slow one by its CPU
time: a frozen or blocked encoder consumes none, a slow one does.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from longtake.errors import (
    ProcessKilled,
    ProcessStalled,
)
from media.children import launch
from media.children.blame import NOT_ALLOWED, blame_the_codec, blame_the_machine
from media.children.observe import ChildEnded, tell
from media.children.on_demand import Reads, asked_by
from media.children.pipes import done_with, reading, said

STALL_S = 15.0
"""No progress and no CPU time for so long: stalled."""
SILENCE_S = 900.0
"""No progress for so long, though it computes: stalled, too."""
STDERR_BYTES = 2000
NICENESS = 10
"""Of a child: it yields to the worker that feeds it."""
IDLE_NICENESS = 19
"""Of one whose answer nobody waits for while encoders work: it yields to them."""

_QUIET = {"SVT_LOG": "1"}
"""SVT-AV1 tells of itself on stderr, where each line counts as an error: errors only."""
_FONTS = Path(__file__).parents[1] / "fonts" / "fonts.conf"
"""Which fonts FFmpeg draws captions with: ours, not the host's."""
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GOTO_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Limits:
    """What a child may take. Memory is address space, in bytes."""

    memory_bytes: int = 8 << 30
    file_bytes: int = 1 << 40
    open_files: int = 256

    def as_rlimits(self) -> dict[str, int]:
        """The limits under the names of the `resource` module."""
        return {
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_CORE": 0,
        }


@dataclass(frozen=True)
class Tick:
    """A report of `ffmpeg -progress`: frames out, media time out in seconds, rates."""

    frames: int
    out_s: float
    fps: float | None
    speed: float | None
    bytes: int


OnTick = Callable[[Tick], None]


@dataclass(frozen=True)
class Finished:
    """A child that ended with exit code 0."""

    cpu_s: float
    wall_s: float
    peak_memory_bytes: int
    stderr: str
    errors: int
    """Lines on stderr: FFmpeg says one for each thing it could not decode."""


NO_WORK = Finished(cpu_s=0.0, wall_s=0.0, peak_memory_bytes=0, stderr="", errors=0)
"""No child was needed."""


def in_turn(*done: Finished) -> Finished:
    """Children that ran one behind the other, as one."""
    return Finished(
        cpu_s=sum(each.cpu_s for each in done),
        wall_s=sum(each.wall_s for each in done),
        peak_memory_bytes=max(each.peak_memory_bytes for each in done),
        stderr=done[-1].stderr,
        errors=done[0].errors,  # of the first decode: the others repeat it
    )


class ProcessFailed(Exception):
    """A child ended with another exit code than 0. The caller knows what that means."""

    def __init__(self, program: str, code: int, stderr: str) -> None:
        super().__init__(f"{program} ended with exit code {code}: {stderr or 'no message'}")
        self.code = code
        self.stderr = stderr


def _no_tick(tick: Tick) -> None:
    pass


async def run_ffmpeg(
    command: Sequence[str],
    *,
    on_tick: OnTick = _no_tick,
    limits: Limits = Limits(),
    stall_s: float = STALL_S,
) -> Finished:
    """Run an FFmpeg command that was built with `-progress pipe:1`. Raises what `run_child` raises,
    and what a lent file (`media.children.on_demand`) raises."""
    folder = Path(command[-1].removeprefix("file:")).parent
    return await run_child(command, folder, on_tick=on_tick, limits=limits, stall_s=stall_s)


async def run_child(
    command: Sequence[str],
    writes_to: Path,
    *,
    cwd: Path | None = None,
    told: bytes = b"",
    on_tick: OnTick = _no_tick,
    limits: Limits = Limits(),
    stall_s: float = STALL_S,
) -> Finished:
    """Run a program, the first word of `command`, within limits and without a network.

    `writes_to` is the folder that is blamed where it cannot write; `told` is what it reads from its
    standard input (at most 4 kB). What it reports as FFmpeg does goes to `on_tick`.

    Cancelling the task ends the child: SIGINT, two seconds later SIGKILL, to its whole group.
    Raises ProcessFailed (exit code not 0), ProcessKilled (ended by a signal), ProcessStalled,
    ResourceExhausted (no room on the disk), InputUnsupported (a codec that is not decoded).
    """
    began_at, started = time.time(), time.monotonic()
    child = start(command, limits, cwd, subprocess.PIPE if told else subprocess.DEVNULL)
    _tell(child, told)
    exited = exit_of(child.process)
    tasks = [
        asyncio.ensure_future(_read_progress(child, on_tick)),
        asyncio.ensure_future(read_stderr(child)),
    ]
    watchdog = asyncio.ensure_future(watch(child, stall_s, _name(command)))
    try:
        first: set[asyncio.Future[Any]] = {exited, watchdog}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            watchdog.result()  # raises ProcessStalled
        await asyncio.gather(*tasks)
    except BaseException:
        await _end(child, exited)
        raise
    finally:
        await done_with(watchdog, *tasks)
        child.close()
        if exited.done():
            wall_s = time.monotonic() - started
            tell(_ended(child, exited.result(), command, began_at, wall_s))
    return _judge(child, exited.result(), time.monotonic() - started, command, writes_to)


@dataclass(frozen=True)
class Exit:
    """How a child ended."""

    code: int
    cpu_s: float
    peak_memory_bytes: int


@dataclass
class Child:
    """A child that runs."""

    process: subprocess.Popen[bytes]
    moved_at: float
    reads: Reads | None = None
    last: Tick | None = None
    errors: int = 0
    tail: collections.deque[bytes] = field(default_factory=lambda: collections.deque(maxlen=64))

    @property
    def stderr(self) -> str:
        """FFmpeg's last words."""
        text = b"".join(self.tail).decode("utf-8", "replace").strip()
        return text[-STDERR_BYTES:]

    def close(self) -> None:
        """Close the pipes to it."""
        if self.reads is not None:
            self.reads.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def start(
    command: Sequence[str],
    limits: Limits,
    cwd: Path | None = None,
    stdin: int = subprocess.PIPE,
) -> Child:
    """Start a program within limits and without a network, in a process group of its own.

    Not in a session of its own: where Linux shares the processor among sessions (`autogroup`),
    niceness counts within one alone. Encoders would then not yield to the worker that feeds them,
    nor would what only looks at the next job yield to them.
    """
    # Started from this thread, the event loop's: the parent-death signal follows the thread.
    rlimits = ",".join(f"{name}={value}" for name, value in limits.as_rlimits().items())
    file = asked_by(command)
    reads = Reads(file) if file else None
    hand = reads.hand.fileno() if reads else -1
    process = subprocess.Popen(
        launch.command(os.getpid(), NICENESS, rlimits, list(command), hand),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(os.environ) | _ONE_THREAD | _QUIET | {"FONTCONFIG_FILE": str(_FONTS)},
        process_group=0,
        pass_fds=(hand,) if reads else (),
    )
    if reads is not None:
        reads.begin()
    return Child(process, time.monotonic(), reads)


def _tell(child: Child, told: bytes) -> None:
    if child.process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it ended already, and its exit tells why
            os.write(child.process.stdin.fileno(), told)  # a pipe holds so much unread
        child.process.stdin.close()


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What a child that touches media may know: no credentials, no addresses."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {
        name: value for name, value in inherited.items() if name in kept or name.startswith("LC_")
    }


def exit_of(process: subprocess.Popen[bytes]) -> asyncio.Future[Exit]:
    """Wait in a thread of its own: wait4 tells CPU and memory, which asyncio's watcher loses."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Exit] = loop.create_future()

    def wait() -> None:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024
        result = Exit(process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(_set_if_open, future, result)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    return future


def _set_if_open(future: asyncio.Future[Exit], result: Exit) -> None:
    if not future.done():
        future.set_result(result)


async def _read_progress(child: Child, on_tick: OnTick) -> None:
    block: dict[str, str] = {}
    async with reading(child.process.stdout) as reader:
        while line := await reader.readline():
            name, _, value = line.decode("ascii", "replace").strip().partition("=")
            block[name] = value
            if name == "progress":
                _note(child, _tick(block), on_tick)
                block = {}


def _note(child: Child, tick: Tick, on_tick: OnTick) -> None:
    last = child.last
    if last is None or (tick.frames, tick.out_s, tick.bytes) != (
        last.frames,
        last.out_s,
        last.bytes,
    ):
        child.moved_at = time.monotonic()
    child.last = tick
    on_tick(tick)


def _tick(block: Mapping[str, str]) -> Tick:
    def number(name: str) -> float | None:
        found = re.match(r"-?\d+(\.\d+)?", block.get(name, "").strip())
        return float(found.group()) if found else None

    return Tick(
        frames=int(number("frame") or 0),
        out_s=max(0.0, (number("out_time_us") or 0.0) / 1e6),
        fps=number("fps") or None,
        speed=number("speed") or None,
        bytes=int(number("total_size") or 0),
    )


async def read_stderr(child: Child) -> None:
    """Keep the last of what it says, until it ends."""
    async for piece, lines in said(child.process.stderr):
        child.tail.append(piece)
        child.errors += sum(NOT_ALLOWED.encode() not in line for line in lines)


async def watch(child: Child, stall_s: float, name: str) -> None:
    """Return never; raise ProcessStalled once the child has stopped moving."""
    computed, computed_at = 0.0, time.monotonic()
    while True:
        await asyncio.sleep(min(1.0, stall_s / 4))
        now = time.monotonic()
        if child.reads is not None and child.reads.waiting:
            child.moved_at = now  # it stands still because its source is on the way
        try:
            program = psutil.Process(child.process.pid)
            spent = sum(sum(p.cpu_times()[:2]) for p in (program, *program.children()))
        except psutil.NoSuchProcess:
            await asyncio.sleep(3600)  # it has ended, and its exit is on the way
            continue
        if spent > computed:
            computed, computed_at = spent, now
        idle, silent = now - max(computed_at, child.moved_at), now - child.moved_at
        if idle > stall_s or silent > SILENCE_S:
            raise ProcessStalled(
                f"{name} made no progress for {silent:.0f} s and was ended; "
                f"{f'it had written {child.last.frames} frames. ' if child.last else ''}"
                f"Its last words: {child.stderr or 'none'}"
            )


async def _end(child: Child, exited: asyncio.Future[Exit]) -> None:
    """SIGINT, which lets FFmpeg close its files; after two seconds SIGKILL."""
    for number, patience in ((signal.SIGINT, 2.0), (signal.SIGKILL, 10.0)):
        if exited.done():
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({exited}, timeout=patience)


def _ended(
    child: Child, exited: Exit, command: Sequence[str], began_at: float, wall_s: float
) -> ChildEnded:
    last = child.last
    return ChildEnded(
        program=_name(command),
        began_at=began_at,
        wall_s=wall_s,
        cpu_s=exited.cpu_s,
        code=exited.code,
        frames=last.frames if last else 0,
        peak_memory_bytes=exited.peak_memory_bytes,
    )


def _name(command: Sequence[str]) -> str:
    """`ffmpeg`, whatever version and platform the file's name tells."""
    return Path(command[0]).name.partition("-")[0]


def _judge(
    child: Child, exited: Exit, wall_s: float, command: Sequence[str], writes_to: Path
) -> Finished:
    if child.reads is not None and child.reads.error is not None:
        raise child.reads.error
    if exited.code == 0:
        return Finished(exited.cpu_s, wall_s, exited.peak_memory_bytes, child.stderr, child.errors)
    program = Path(command[0]).name
    if exited.code < 0:
        name = signal.Signals(-exited.code).name
        raise ProcessKilled(f"{program} was ended by {name}. {child.stderr}".strip())
    blame_the_codec(child.stderr)
    blame_the_machine(child.stderr, writes_to)
    raise ProcessFailed(program, exited.code, child.stderr)
