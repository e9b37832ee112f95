"""Start, join, look at and stop the embedded service, from any process of the same user.

The service runs as a process of its own (`python -m workers.embedded`), detached from whoever
started it. Locks say who lives: see longtake/embedded.py.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from longtake.embedded import (
    ServiceState,
    database_lock,
    holder,
    server_binary,
    service_log,
    state_file,
    supervisor_lock,
)
from longtake.errors import ServiceUnreachable
from longtake.presets import application_root
from longtake.settings import Home, drain_grace_s

READY_S = 60.0
STOP_MARGIN_S = 30.0
"""Beyond the drain: a late worker is killed after 15 s, a late server after 10 s."""
ORPHAN_S = 5.0
"""So long a server that lost its supervisor may take to end; one that hears takes 1.4 s."""
POLL_S = 0.03

Notify = Callable[[str], None]
_started: list[subprocess.Popen[bytes]] = []
"""Kept, so that Python reaps them and does not complain that they outlive us."""


@dataclass(frozen=True)
class Command:
    """A process to run: its command line and its environment."""

    arguments: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Status:
    """How the embedded service is. `left over`: its supervisor was killed, its server was not."""

    state: Literal["running", "starting", "stopped", "left over"]
    service: ServiceState | None = None


@dataclass(frozen=True)
class Stopped:
    """What `stop` found, and whether it had to kill."""

    was: Literal["running", "stopped", "left over"]
    killed: bool = False


def status(home: Home | None = None) -> Status:
    """How the embedded service of this home is now."""
    home = home or Home.from_environment()
    service = ready_service(home)
    if service is not None:
        return Status("running", service)
    if holder(supervisor_lock(home)) is not None:
        return Status("starting")
    left_over = holder(database_lock(home)) is not None
    return Status("left over" if left_over else "stopped")


def ready_service(home: Home) -> ServiceState | None:
    """The service, if its supervisor lives and its server answers."""
    state = ServiceState.read(state_file(home))
    if state is None or holder(supervisor_lock(home)) != state.pid:
        return None
    return state if _answers(state.address) else None


async def start_or_join(home: Home, notify: Notify | None = None) -> ServiceState:
    """Wait for the service, started by us or by another command.

    `notify` is told what takes time, and what is wrong with a service that answers. Raises
    ServiceUnreachable if it refuses to start or is not ready in time.
    """
    tell = notify or (lambda words: None)
    try:
        service = ready_service(home)
        if service is None:
            _check_installed()
            tell("starting the embedded service; it stays until `longtake down`")
            service = await _wait(home, READY_S)
    except OSError as error:
        raise ServiceUnreachable(
            f"the embedded service cannot use its state folder {home.path}: {error}. "
            "Choose another one: set LONGTAKE_HOME"
        ) from error
    for problem in service.problems():
        tell(problem)
    return service


async def _wait(home: Home, patience_s: float) -> ServiceState:
    log_start = _log_size(home)
    ours: subprocess.Popen[bytes] | None = None
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if service := ready_service(home):
            return service
        if ours is not None and ours.poll():
            raise ServiceUnreachable(
                f"the embedded service did not start: {_last_words(home, log_start)} "
                f"(log: {service_log(home)})"
            )
        if holder(supervisor_lock(home)) is None and (ours is None or ours.poll() == 0):
            ours = _start(home)
        await asyncio.sleep(POLL_S)
    raise ServiceUnreachable(
        f"the embedded service was not ready within {patience_s:.0f} s and may still be starting: "
        f"give the command again, or look into {service_log(home)}, whose last words are: "
        f"{_last_words(home, log_start)}"
    )


async def stop(home: Home | None = None) -> Stopped:
    """Let the service drain and end; kill what does not. Cleans up after one that was killed."""
    home = home or Home.from_environment()
    locks = (supervisor_lock(home), database_lock(home))
    supervised = holder(locks[0]) is not None
    if not supervised and holder(locks[1]) is None:
        return Stopped("stopped")
    in_order = locks[:1] if supervised else locks
    service = ServiceState.read(state_file(home))
    grace_s = service.drain_grace_s if service is not None else drain_grace_s()
    patience_s = grace_s + STOP_MARGIN_S if supervised else ORPHAN_S
    killed = not await _end(in_order, signal.SIGTERM, locks, patience_s)
    if killed and not await _end(locks, signal.SIGKILL, locks, 10.0):
        raise ServiceUnreachable(f"the embedded service in {home.path} cannot be ended")
    state_file(home).unlink(missing_ok=True)
    return Stopped("running" if supervised else "left over", killed)


async def _end(
    holders: tuple[Path, ...], number: signal.Signals, locks: tuple[Path, ...], patience_s: float
) -> bool:
    """Signal the holders; True once all locks are free."""
    for lock in holders:
        if pid := holder(lock):
            _signal(pid, number)
    deadline = time.monotonic() + patience_s
    while any(holder(lock) is not None for lock in locks):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def service_command(home: Home | None = None) -> Command:
    """The process that is the embedded service: in the foreground for `longtake up`."""
    arguments = [sys.executable, "-P", "-m", "workers.embedded"]
    return Command(arguments, application_environment(home or Home.from_environment()))


def application_environment(home: Home) -> dict[str, str]:
    """Ours, with the worker application on the path; nobody else gets it there."""
    path = [str(application_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    environment["LONGTAKE_HOME"] = str(home.path)  # absolute: the process runs elsewhere
    if "LONGTAKE_WORK_STORE" in os.environ:
        environment["LONGTAKE_WORK_STORE"] = home.bucket or str(home.work_store)
    return environment


def _start(home: Home) -> subprocess.Popen[bytes]:
    home.path.mkdir(parents=True, exist_ok=True)
    log = service_log(home)
    log.parent.mkdir(exist_ok=True)
    command = service_command(home)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command.arguments,
            env=command.environment,
            cwd=home.path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(process)
    return process


def _check_installed() -> None:
    """Better words than a traceback in a log that nobody has asked for yet."""
    missing = [
        name for name in ("av", "imageio_ffmpeg", "psutil") if not importlib.util.find_spec(name)
    ]
    if server_binary() is None or missing:
        raise ServiceUnreachable(
            "there is no Temporal address, and the embedded service is not installed here. "
            "Either install it: pip install 'longtake[worker]'; "
            "or point Longtake at a cluster: set TEMPORAL_ADDRESS"
        )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except (OSError, ValueError):
        return False
    return True


def _log_size(home: Home) -> int:
    log = service_log(home)
    return log.stat().st_size if log.exists() else 0


def _last_words(home: Home, start: int) -> str:
    """Errors in the log since `start`; without any, its last lines."""
    try:
        with service_log(home).open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    events = [_event(line) for line in lines]
    errors = [text for level, text in events if level == "error"]
    texts = errors or [text for _, text in events[-5:]]
    return " / ".join(texts[-3:]) or "it said nothing"


def _event(line: str) -> tuple[str, str]:
    try:
        event = json.loads(line)
        return str(event["level"]), str(event["event"])
    except (ValueError, KeyError, TypeError):
        return "", line
