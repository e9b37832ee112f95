"""Shutting in children that touch media, and how well that goes on this system, in words."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from media.children import launch
from media.children.on_demand import Reads, supported
from media.children.process import Limits

READER_LIMITS = Limits(memory_bytes=4 << 30, file_bytes=1 << 20)
WRITER_LIMITS = Limits(memory_bytes=4 << 30)
"""Of children that change a copy of the file."""

Sandbox = Literal["seccomp", "namespace", "none"]

WORDS: dict[Sandbox, str] = {
    "seccomp": "children have no network (a seccomp filter refuses sockets)",
    "namespace": "children have no network (a network namespace of their own, with nothing in it)",
    "none": "weaker: this system cannot take the network from a process; "
    "limits and whitelists alone keep children in",
}

# Port 9 of this host: whether something listens there or not, only a network can tell.
_TRIAL = """
import _socket, errno
try:
    _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", 9))
    print("none")
except PermissionError:
    print("seccomp")
except OSError as error:
    print("namespace" if error.errno == errno.ENETUNREACH else "none")
"""


@functools.cache
def sandbox() -> Sandbox:
    """What a child that is started like an encoder can reach, judged by one that tries."""
    program = [sys.executable, "-I", "-S", "-c", _TRIAL]
    done = subprocess.run(
        launch.command(os.getpid(), 0, "RLIMIT_CORE=0", program),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = done.stdout.strip()
    return next(mode for mode in WORDS if mode == found)


@functools.cache
def holds_reads() -> bool:
    """Whether a child's reads can be held until the bytes are there, judged by one that reads."""
    if not supported():
        return False
    with tempfile.TemporaryDirectory() as folder:
        file = _Trial(Path(folder) / "trial")
        file.path.write_bytes(bytes(len(_Trial.BYTES)))
        reads = Reads(file)
        program = [sys.executable, "-I", "-S", "-c", f"print(open({str(file.path)!r}).read())"]
        hand = reads.hand.fileno()
        child = subprocess.Popen(
            launch.command(os.getpid(), 0, "RLIMIT_CORE=0", program, hand),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(hand,),
        )
        reads.begin()
        try:
            told, _ = child.communicate(timeout=60)
        finally:
            child.kill()
            reads.close()
    return told.strip() == _Trial.BYTES


@dataclass(frozen=True)
class _Trial:
    """Filled only when it is read."""

    BYTES: ClassVar[bytes] = b"held"
    path: Path

    def provide(self, start: int, end: int) -> None:
        self.path.write_bytes(self.BYTES)


def restrict(limits: Limits, niceness: int) -> None:
    """Limits, niceness and no network for this process, for good."""
    os.nice(niceness)
    launch.limit(limits.as_rlimits())
    launch.shut_in()
