"""The clock of a running process, put forward: days pass for a Temporal server in a moment.

A Go program asks the kernel's vDSO for the time, and no library that a test could put in between.
So the vDSO's own `clock_gettime` is replaced in that process's memory by one which adds a number of
seconds to the time of day, and which leaves alone the monotonic clock: what waits for a second goes
on to wait for one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
import time
from pathlib import Path

import pytest

from tests.patience import WAIT_S

CLOCK_GETTIME = bytes.fromhex(
    "b8e4000000"  # mov eax, 228: the system call of that name
    "0f05"  # syscall
    "85ff"  # test edi, edi: is it the time of day that is asked for, CLOCK_REALTIME?
    "750a"  # jne to the end
    "488b0d06000000"  # mov rcx, [skipped]
    "48010e"  # add [rsi], rcx: rsi points at the answer, whose seconds come first
    "c3"  # ret
    "9090"  # nop, so that `skipped` is aligned, and is read and written in one piece
)


class Clock:
    """The time of day of the process `pid`, a child of this one.

    Skips the test where that cannot be: elsewhere than on x86-64 Linux, or where the system keeps
    parents out of their children's memory.
    """

    def __init__(self, pid: int) -> None:
        self._memory = Path(f"/proc/{pid}/mem")
        self._skipped = 0
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("only the clock of a process of x86-64 Linux can be put forward")
        try:
            self._address = _vdso(pid) + _offset()
            _stop(pid)  # no thread may be within the code that is replaced
            self._write(self._address, CLOCK_GETTIME + bytes(8))
        except OSError as error:
            pytest.skip(f"the clock of a process cannot be put forward here: {error}")
        os.kill(pid, signal.SIGCONT)

    def now(self) -> float:
        """Seconds since 1970, as the process sees them."""
        return time.time() + self._skipped

    def skip_to(self, moment: float) -> None:
        """Put the clock forward to that second since 1970."""
        self._skipped += round(moment - self.now())
        self._write(self._address + len(CLOCK_GETTIME), struct.pack("<q", self._skipped))

    def _write(self, address: int, data: bytes) -> None:
        with self._memory.open("r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)


def _vdso(pid: int | str) -> int:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return int(next(line for line in lines if line.endswith("[vdso]")).split("-")[0], 16)


def _offset() -> int:
    """Where `clock_gettime` is in the vDSO, which is the kernel's: the same in each process."""
    function = ctypes.CDLL("linux-vdso.so.1").__vdso_clock_gettime
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address
    return address - _vdso("self")


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + WAIT_S
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "a process does not stop"
        time.sleep(0.01)
