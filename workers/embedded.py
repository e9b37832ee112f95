"""The embedded service: a Temporal server, a control worker, a media worker, one supervisor.

Run as `python -m workers.embedded`; longtake/service.py does. Of several at once one wins, the
others leave: whoever started them waits for the winner's service.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from longtake.embedded import (
    Lock,
    ServiceState,
    WorkerState,
    database_lock,
    holder,
    own_version,
    server_log,
    service_log,
    state_file,
    supervisor_lock,
)
from longtake.errors import ServiceUnreachable
from longtake.settings import Home, check_environment, drain_grace_s, metrics_address
from media.children.capacity import default_slots
from workers import server
from workers.logs import keep_bounded
from workers.main import run_and_leave
from workers.mixed import split, worker_program
from workers.settings import WorkerSettings
from workers.signals import stop_on_signal, until
from workers.supervisor import Kept, Program, kill_all, stop_in_order

log = structlog.get_logger("longtake.supervisor")

SERVER_PATIENCE_S = 10.0
REMOVED_CHECK_S = 2.0


def run(home: Home) -> int:
    """Run the service until a signal. Returns 0 at once if another supervisor runs it.

    Raises CapabilityMissing for a setting that means nothing.
    """
    check_environment()
    home.server.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock(supervisor_lock(home))
    # Commands that only ask who holds the lock stand in the way for microseconds.
    if not _take(lock, 0.2):
        log.info("another supervisor runs this service", home=str(home.path))
        return 0
    lock.name_holder(os.getpid())
    state_file(home).unlink(missing_ok=True)  # left by one that was killed
    database = _take_database(database_lock(home))
    service = Service(home, server.prepare(home), lock, database)
    return asyncio.new_event_loop().run_until_complete(service.run())


def _take(lock: Lock, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not lock.take():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _take_database(path: Path) -> Lock:
    """Wait until no server has the database; end one that was left over.

    On Linux it got SIGTERM when its supervisor died. Elsewhere nobody told it.
    """
    lock = Lock(path)
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if lock.take():
            return lock
        log.warning("a server was left over: ending it", holder=holder(path), signal=number.name)
        _end(holder(path), number)
        if _take(lock, patience_s):
            return lock
    raise ServiceUnreachable(
        f"another Temporal server (pid {holder(path) or 'unknown'}) has the database in "
        f"{path.parent} and does not end"
    )


def _end(pid: int | None, number: signal.Signals) -> None:
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Service:
    """The running parts and the file that says so."""

    def __init__(
        self, home: Home, embedded: server.EmbeddedServer, lock: Lock, database: Lock
    ) -> None:
        self.home = home
        self.embedded = embedded
        self.lock = lock
        self.database = database
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.announced = False
        self.server = Kept(self._server_program(), self._changed)
        everything = WorkerSettings(
            ("control", "io", "cpu", "speech"),
            default_slots(),
            address=embedded.address,
            metrics=metrics_address(),
        )
        control, media = split(everything)
        self.settings = [replace(control, owns_server=True), media]
        self.workers = [Kept(worker_program(each), self._changed) for each in self.settings]

    async def run(self) -> int:
        """Start all at once: workers wait for the server themselves."""
        stop = stop_on_signal(at_once=lambda: kill_all([*self.workers, self.server]))
        serving = [(self.server, asyncio.ensure_future(self.server.keep()))]
        working = [(each, asyncio.ensure_future(each.keep())) for each in self.workers]
        removed = asyncio.ensure_future(self._until_removed())
        ending = {asyncio.ensure_future(stop.wait()), removed, serving[0][1]}
        starting = asyncio.ensure_future(self._until_ready())
        logs = asyncio.ensure_future(keep_bounded([service_log(self.home), server_log(self.home)]))
        await asyncio.wait({*ending, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.result():
            self._announce()
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        logs.cancel()
        self.announced = False
        state_file(self.home).unlink(missing_ok=True)
        await stop_in_order(working, serving)
        log.info("the service has stopped")
        return 0 if stop.is_set() else 1

    async def _until_ready(self) -> bool:
        """True once all workers poll, which they do when the server answers. False if one
        refused to start."""
        while not all(each.ready.is_set() for each in self.workers):
            if any(each.problem for each in self.workers):
                return False
            await asyncio.sleep(0.02)
        self.server.ready.set()
        return True

    async def _until_removed(self) -> None:
        """A service whose folder was removed serves nobody: no command finds it."""
        await until(lambda: not self.lock.is_in_place(), REMOVED_CHECK_S)
        log.warning("the state folder was removed", home=str(self.home.path))

    def _announce(self) -> None:
        self.announced = True
        self._changed()
        log.info("ready", address=self.embedded.address, ui=self.embedded.ui)

    def _changed(self) -> None:
        """Keep the lock's note and the state file true. A full disk must not end the service."""
        try:
            if self.server.pid is not None:
                self.database.name_holder(self.server.pid)
            if self.announced:
                self._state().write(state_file(self.home))
        except OSError as error:
            log.error(f"the service's state cannot be written: {error}")

    def _state(self) -> ServiceState:
        workers = [
            WorkerState(
                kept.program.name,
                list(settings.roles),
                kept.pid,
                kept.state,
                kept.restarts,
                kept.problem,
            )
            for kept, settings in zip(self.workers, self.settings, strict=True)
        ]
        return ServiceState(
            pid=os.getpid(),
            address=self.embedded.address,
            ui=self.embedded.ui,
            started_at=self.started_at,
            drain_grace_s=drain_grace_s(),
            versions={
                "longtake": own_version(),
                "temporal_server": self.embedded.record.server,
                "temporal_cli": self.embedded.record.cli,
                "python": platform.python_version(),
            },
            workers=workers,
        )

    def _server_program(self) -> Program:
        server_log(self.home).parent.mkdir(exist_ok=True)
        output = os.open(server_log(self.home), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return Program(
            "temporal",
            lambda ready: self.embedded.command,
            SERVER_PATIENCE_S,
            server.environment(),
            inherits=(self.database.descriptor,),
            output=output,
        )


if __name__ == "__main__":
    run_and_leave("supervisor", lambda: run(Home.from_environment()))
