"""Commands without the second that Python takes to import them: each is a process of its own,
forked from one that has everything loaded and has done nothing yet.

    done = forked.run(["status", "job-1"], environment, Path.cwd())

What is proven is what `python -m longtake` does from there on. That a new Python begins as well is
proven where a test starts the command itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from tests.patience import WAIT_S

ROOT = Path(__file__).parents[1]
LOADED = ("longtake.cli.app", "longtake.client", "longtake.service", "longtake.embedded", "yaml")


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    given: bytes = b"",
    *,
    timeout: float = WAIT_S,
) -> subprocess.CompletedProcess[str]:
    """`longtake` with these arguments, to its end; `given` is what it reads from its stdin."""
    ours, theirs = socket.socketpair()
    stdin, out, err = os.pipe(), os.pipe(), os.pipe()
    handed = [theirs.fileno(), stdin[0], out[1], err[1]]
    with _asking:
        socket.send_fds(_server(), [b"."], handed)
    theirs.close()
    for descriptor in handed[1:]:
        os.close(descriptor)
    request = {"arguments": [*arguments], "environment": {**environment}, "folder": str(folder)}
    with ours, ours.makefile("rw") as line, ThreadPoolExecutor(2) as reading:
        words = [reading.submit(_read, descriptor) for descriptor in (out[0], err[0])]
        print(json.dumps(request), file=line, flush=True)
        pid = int(line.readline())
        os.write(stdin[1], given)
        os.close(stdin[1])
        ours.settimeout(timeout)
        try:
            code = int(line.readline())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            raise
        said, complained = (each.result() for each in words)
    return subprocess.CompletedProcess(["longtake", *arguments], code, said, complained)


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as file:
        return file.read()


_asking = threading.Lock()


@functools.cache
def _server() -> socket.socket:
    """Where to ask. The server ends when nobody holds the other end any more."""
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs.fileno())],
        cwd=ROOT,
        env=_without_settings(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("TEMPORAL_", "LONGTAKE_"))
    }


def _serve(asked: socket.socket) -> None:
    """Fork a command for each request, until nobody asks any more."""
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for a command
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, 1, 4)
        if not message:
            return
        if os.fork() == 0:
            asked.close()
            _wait_for_command(socket.socket(fileno=descriptors[0]), descriptors[1:])
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_for_command(asked: socket.socket, streams: Sequence[int]) -> NoReturn:
    """Start it, tell its pid, and then how it ended, as `subprocess` counts."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with asked.makefile("rw") as line:
        request = json.loads(line.readline())
        pid = os.fork()
        if pid == 0:
            _be_command(request, streams)
        for descriptor in streams:
            os.close(descriptor)
        print(pid, file=line, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=line, flush=True)
    os._exit(0)


def _be_command(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["folder"]  # as `python -m` does it
    sys.argv = ["longtake", *request["arguments"]]
    try:
        runpy.run_module("longtake", run_name="__main__", alter_sys=True)
    except BaseException:
        traceback.print_exc()
    os._exit(1)  # `longtake` itself never returns


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
