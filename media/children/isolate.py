"""Run a function on untrusted files in a child process of its own.

The child is forked from a small server that has PyAV loaded already (multiprocessing's
forkserver), so it starts in milliseconds. Like every child it is limited and without network, knows
no credentials, and ends with its worker: the server ends when the worker does, the child with the
server.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import io
import multiprocessing
import multiprocessing.util
import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import psutil

from longtake.contracts.base import Contract
from longtake.errors import (
    InputCorrupt,
    LongtakeError,
    ProcessKilled,
    ProcessStalled,
    error_class,
)
from media.children import launch
from media.children.observe import ChildEnded, tell
from media.children.process import NICENESS, STALL_S, Limits, environment
from media.children.sandbox import READER_LIMITS, restrict

Result = TypeVar("Result")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["media.probing.inspect", __name__])


_REFUSED = InputCorrupt(
    "the file made its reader crash; it is damaged, or made to do harm. It was refused"
)
_FROM_OUTSIDE = (-signal.SIGKILL, 255)
"""Nothing in a file ends a reader so: the system does, for want of memory, or an operator. 255 is
told of a child whose server was ended, and it with it."""
_ENDS_S = 5.0
"""So long after its last word a child may take to end."""
MOST_BYTES = 1 << 29
"""Of an answer: more than the index of 48 hours at 60 frames a second takes."""
_ENV = b"/usr/bin/env"
_starting = threading.Lock()
_SOCKET_PATH = 103
"""Bytes that the path of a socket may have: sockaddr_un holds 104 on macOS, 108 on Linux."""


@functools.cache
def _keep_sockets_short() -> None:
    """Let the server's sockets lie in /tmp where TMPDIR is too long for a socket's path."""
    longest = Path(tempfile.gettempdir(), "pymp-12345678", "listener-12345678")
    if len(bytes(longest)) > _SOCKET_PATH:
        folder = tempfile.mkdtemp(prefix="pymp-", dir="/tmp")
        multiprocessing.util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=-100)
        # As multiprocessing.util.get_temp_dir does it, which has no way to be told.
        multiprocessing.current_process()._config["tempdir"] = folder  # type: ignore[attr-defined]


async def in_child(
    function: Callable[..., Result],
    *arguments: Any,
    timeout_s: float = 900.0,
    limits: Limits = READER_LIMITS,
    niceness: int = NICENESS,
    crash: LongtakeError = _REFUSED,
) -> Result:
    """Call `function` in a child and return what it returns: data, made of plain values, contracts
    and dataclasses of ours.

    Raises what the function raised, if it is a LongtakeError; `crash`, which blames the file, when
    the child crashed; ProcessKilled when it was ended from outside; ProcessStalled after
    `timeout_s` seconds, or when it stands still. Cancelling the task ends the child.
    """
    _keep_sockets_short()
    ours, theirs = _context.Pipe(duplex=False)
    child = _context.Process(
        target=_serve, args=(theirs, limits, niceness, function, arguments), daemon=True
    )
    began_at, started = time.time(), time.monotonic()
    answer: Any = None
    try:
        await asyncio.to_thread(_start, child)
    except (EOFError, ConnectionError) as error:
        raise ProcessKilled("the server that forks readers was ended as it was asked") from error
    theirs.close()
    answering = asyncio.ensure_future(_answer(ours))
    standing = asyncio.ensure_future(_standstill(child.pid or 0))
    try:
        await asyncio.wait({answering, standing}, timeout=timeout_s, return_when="FIRST_COMPLETED")
        if not answering.done():
            why = f"stood still for {STALL_S:.0f} s" if standing.done() else "took too long"
            raise ProcessStalled(f"looking into the file {why} and was ended")
        answer = answering.result()
        if answer is None and await asyncio.to_thread(_ended_from_outside, child):
            raise ProcessKilled(
                "the reader of the file was ended from outside before it was done: by the system, "
                "most often, for want of memory. More of it for the worker helps, or fewer slots"
            )
    finally:
        answering.cancel()
        standing.cancel()
        child.kill()
        await asyncio.to_thread(child.join)
        tell(
            ChildEnded(
                program=function.__name__.strip("_"),
                began_at=began_at,
                wall_s=time.monotonic() - started,
                cpu_s=answer[2] if answer else 0.0,
                # One that has answered is killed: then the signal says nothing.
                code=0 if answer else child.exitcode or 0,
            )
        )
        ours.close()
        child.close()
    return _unpack(answer, function, crash)


def _ended_from_outside(child: BaseProcess) -> bool:
    """Of a child that gave no answer. One that still runs said what cannot be read."""
    child.join(_ENDS_S)
    return child.exitcode in _FROM_OUTSIDE


def _start(child: BaseProcess) -> None:
    """Start a child, and the server where it is not there.

    The server keeps what it is begun with, and each child could tell it (/proc/self/environ); but
    multiprocessing begins it with all that its worker knows.
    """
    with _starting:
        spawn = multiprocessing.util.spawnv_passfds
        multiprocessing.util.spawnv_passfds = functools.partial(_spawn_bare, spawn)
        try:
            child.start()
        finally:
            multiprocessing.util.spawnv_passfds = spawn


def _spawn_bare(
    spawn: Callable[..., int],
    path: bytes,
    arguments: Sequence[str | bytes],
    descriptors: Sequence[int],
) -> int:
    """The `spawnv_passfds` of multiprocessing, with an environment for readers."""
    known = environment(os.environ)
    # How Python finds its modules; and whose process it is, for who looks.
    own = (name for name in os.environ if name.startswith("PYTHON") or name == "LONGTAKE_HOME")
    known |= {name: os.environ[name] for name in own}
    told = [os.fsencode(f"{name}={value}") for name, value in known.items()]
    words = [os.fsencode(word) for word in arguments]
    return spawn(_ENV, [_ENV, b"-i", *told, *words], descriptors)


async def _standstill(pid: int) -> None:
    """Return once the process has taken no CPU time for STALL_S seconds."""
    computed, moved_at = -1.0, time.monotonic()
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while time.monotonic() - moved_at < STALL_S:
            await asyncio.sleep(STALL_S / 15)
            spent = sum(process.cpu_times()[:2])
            if spent > computed:
                computed, moved_at = spent, time.monotonic()
        return
    await asyncio.Event().wait()  # it has ended: its answer is on the way


async def _answer(connection: Connection) -> Any:
    """The message of the child, or None if it ended without one that can be read."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection.fileno())
    try:
        data = await asyncio.to_thread(connection.recv_bytes, MOST_BYTES)
        return _Data(io.BytesIO(data)).load()
    except Exception:  # one that was taken over may send what raises anything
        return None


class _Data(pickle.Unpickler):
    """Reads an answer of a child. One that was taken over by its file may send anything, and a
    pickle names what is called as it is read: here nothing but makers of data."""

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name. Raises UnpicklingError for all that is not data."""
        if (module, name) == ("fractions", "Fraction"):
            return Fraction
        if module.partition(".")[0] in ("longtake", "media"):
            found = super().find_class(module, name)
            if isinstance(found, type) and _is_data(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")


def _is_data(kind: type) -> bool:
    return issubclass(kind, Contract) or dataclasses.is_dataclass(kind)


def _unpack(answer: Any, function: Callable[..., Result], crash: LongtakeError) -> Result:
    if answer is None:
        raise type(crash)(str(crash))
    ok, value, _ = answer
    if ok:
        return value  # type: ignore[no-any-return]
    name, message = value
    raise error_class(name)(message)


def _serve(
    connection: Connection,
    limits: Limits,
    niceness: int,
    function: Callable[..., Any],
    arguments: Any,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer
    restrict(limits, niceness)
    launch.die_with_parent()
    connection.send((*_outcome(function, arguments), time.process_time()))


def _outcome(function: Callable[..., Any], arguments: Any) -> tuple[bool, Any]:
    """What the function returned; or, after False, name and message of the error to raise."""
    try:
        return True, function(*arguments)
    except LongtakeError as error:
        return False, (type(error).__name__, str(error))
    except Exception as error:
        message = f"looking into the file failed: {type(error).__name__}: {error}"
        return False, ("InputCorrupt", message)
