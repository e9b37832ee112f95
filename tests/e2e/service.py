"""An embedded service in a private home, driven through the command line as a user would."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests import forked
from tests.patience import SLACK, WAIT_S

CLI = (sys.executable, "-m", "longtake")


class Service:
    """A private LONGTAKE_HOME and the commands and processes that belong to it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.home = folder / "home"
        self.out = folder / "out"
        self.out.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "LONGTAKE_"))}
        self.environment = kept | {"LONGTAKE_HOME": str(self.home)} | environment
        self.started: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: Any) -> list[str]:
        return [*CLI, *map(str, arguments)]

    def run(self, *arguments: Any, timeout: float = WAIT_S) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        words = [str(argument) for argument in arguments]
        return forked.run(words, self.environment, Path.cwd(), timeout=timeout)

    def json(self, *arguments: Any, code: int = 0) -> Any:
        """The JSON document that a command prints; it must end with `code`."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def start(self, *arguments: Any) -> subprocess.Popen[bytes]:
        """A command that goes on beside the test; ended with the service."""
        log = (self.out.parent / f"command-{len(self.started)}.log").open("wb")
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.started.append(process)
        return process

    def state(self) -> Any:
        return json.loads((self.home / "server" / "service.json").read_text())

    def worker(self) -> psutil.Process:
        """The media worker of the embedded service."""
        return next(
            psutil.Process(worker["pid"])
            for worker in self.state()["workers"]
            if "cpu" in worker["roles"] and worker["pid"]
        )

    def processes(self) -> list[psutil.Process]:
        """Every process that runs with this home: all but the test's own commands."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("LONGTAKE_HOME") == str(self.home) or str(
                    self.home
                ) in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def encoders(self) -> list[psutil.Process]:
        """FFmpeg processes that write into this home's work store."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if (
                    line
                    and "ffmpeg" in line[0]
                    and any(str(self.home) in word for word in line[1:])
                ):
                    found.append(process)
        return found

    def chunks(self) -> dict[str, int]:
        """Finished chunks in the work store, and their inodes."""
        objects = (self.home / "work" / "objects").glob("*/chunk-*")
        return {path.name: path.stat().st_ino for path in objects}

    def forget_work(self) -> None:
        """Empty the work store, so that the next job encodes everything."""
        shutil.rmtree(self.home / "work" / "objects", ignore_errors=True)

    def stop(self) -> None:
        """End everything that was started, whatever happened before."""
        for command in self.started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(command.pid, signal.SIGKILL)
            command.wait()
        # One that is asked to stop drains first, which nobody waits for here; and a supervisor may
        # start a worker while its siblings are killed.
        while family := self.processes():
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(family, timeout=15)


def until(claim: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until `claim` holds; fails with `what` when `seconds` of an idle machine are over."""
    deadline = time.monotonic() + seconds * SLACK
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error, OSError, ValueError, KeyError, StopIteration):
            if value := claim():
                return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[Service]:
    """A service that is stopped at the end, also after a failure."""
    service = Service(folder, **environment)
    try:
        yield service
    finally:
        service.stop()
