"""The processes of one service."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil

from longtake.settings import Home
from tests.patience import WAIT_S

SUPERVISOR = "workers.embedded"
SERVER = "start-dev"
WORKER = "-m workers --role"


class Family:
    """The living processes of one home, found by their environment."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def all(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._belongs(process)]

    def named(self, words: str) -> list[psutil.Process]:
        return [process for process in self.all() if words in command_line(process)]

    def only(self, words: str) -> psutil.Process:
        (found,) = self.named(words)
        return found

    def kill(self) -> None:
        """Until none is left: a supervisor may start one while its siblings are killed."""
        while family := self.all():
            for process in family:
                _kill(process)
            psutil.wait_procs(family, timeout=15)

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get("LONGTAKE_HOME") == str(self.home.path)
        except psutil.Error:
            return False


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def die(process: psutil.Process) -> None:
    """Kill it and wait until it is dead: its locks are free then."""
    process.kill()
    process.wait(10)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        pass


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
