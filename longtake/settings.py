"""Where Longtake keeps its state, and what the environment says about it.

| variable              | meaning                                                             |
|-----------------------|---------------------------------------------------------------------|
| `LONGTAKE_HOME`       | state of the embedded service: database, work store, job index, logs |
| `LONGTAKE_WORK_STORE` | where workers keep finished steps: a folder that all of them share,  |
|                       | or `s3://bucket/prefix`                                              |
| `LONGTAKE_MODELS`     | folders of speech models, with a colon between two (default `models` |
|                       | in `LONGTAKE_HOME`)                                                  |
| `LONGTAKE_LOG_LEVEL`  | how much workers log: debug, info (default), warning or error        |
| `LONGTAKE_DRAIN_GRACE`| seconds a worker that was told to stop may take to finish (default 30) |
| `LONGTAKE_METRICS`    | host:port where a worker serves metrics for Prometheus; off without  |
| `LONGTAKE_CACHE_SIZE` | room for remote sources in the host's cache, such as 200G (default 50G)|
| `LONGTAKE_HTTP_ALLOW` | host:port,… that links may lead to beside public https, port 443      |
| `LONGTAKE_HTTP_MAX_SIZE` | the largest source that a link may bring (default 100G)           |
| `LONGTAKE_WEBHOOK_ALLOW` | host:port,… that webhooks may go to beside public https, port 443 |
| `LONGTAKE_WEBHOOK_SECRET_NAME` | the secret called `name` that signs webhooks                |
| `LONGTAKE_WEBHOOK_SECRETS` | folder of such secrets, a file each (default in `LONGTAKE_HOME`) |
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from longtake.errors import CapabilityMissing

HTTP_ALLOW = "LONGTAKE_HTTP_ALLOW"
WEBHOOK_ALLOW = "LONGTAKE_WEBHOOK_ALLOW"

PIPELINES = "pipelines"
"""Where in the work store pipelines keep what only their own steps read."""


@dataclass(frozen=True)
class Home:
    """The state folder and the places in it."""

    path: Path

    @classmethod
    def from_environment(cls) -> Home:
        """`LONGTAKE_HOME`, or the platform's folder for user data."""
        configured = os.environ.get("LONGTAKE_HOME")
        path = Path(configured) if configured else platformdirs.user_data_path("longtake")
        return cls(path.expanduser().absolute())

    @property
    def bucket(self) -> str | None:
        """`s3://bucket/prefix`, if finished steps are kept in a bucket.

        Raises CapabilityMissing if the environment names a place of another kind.
        """
        configured = os.environ.get("LONGTAKE_WORK_STORE", "")
        if "://" not in configured:
            return None
        if not configured.startswith("s3://"):
            raise CapabilityMissing(
                f"LONGTAKE_WORK_STORE={configured} is neither a folder nor s3://bucket/prefix"
            )
        return configured

    @property
    def work_store(self) -> Path:
        """Finished steps under their content keys; where these are kept in a bucket, what this
        host itself needs for them: drafts and locks, beside the cache that they go over to."""
        if self.bucket is not None:
            return self.cache / "work"
        configured = os.environ.get("LONGTAKE_WORK_STORE")
        return Path(configured).absolute() if configured else self.path / "work"

    @property
    def pipelines(self) -> str:
        """Folder or prefix in which pipelines keep what only their own steps read."""
        return f"{(self.bucket or str(self.work_store)).rstrip('/')}/{PIPELINES}"

    @property
    def cache(self) -> Path:
        """The host's cache, shared by all processes of this host."""
        return self.path / "cache"

    @property
    def jobs(self) -> Path:
        """The index of jobs that outlives the server's retention: one JSON file a job.

        Beside a work store that is a shared folder it is shared, too.
        """
        return self._beside_work / "jobs"

    @property
    def lists(self) -> Path:
        """Lists of files that were given to `longtake batch` on its command line or stdin."""
        return self._beside_work / "lists"

    @property
    def _beside_work(self) -> Path:
        shared = os.environ.get("LONGTAKE_WORK_STORE") and self.bucket is None
        return self.work_store if shared else self.path

    @property
    def server(self) -> Path:
        """Database, lock and address of the embedded Temporal server."""
        return self.path / "server"

    @property
    def logs(self) -> Path:
        """Logs of the embedded service's processes."""
        return self.path / "logs"


def metrics_address() -> str | None:
    """Where a worker serves its metrics, as host:port; None if nowhere.

    Raises CapabilityMissing if the environment says something else.
    """
    address = os.environ.get("LONGTAKE_METRICS")
    if not address:
        return None
    if not re.fullmatch(r".+:\d{1,5}", address):
        raise CapabilityMissing(
            f"LONGTAKE_METRICS={address} is not host:port, such as 127.0.0.1:9464"
        )
    return address


def check_environment() -> None:
    """Raises CapabilityMissing for a variable whose value means nothing: told as a worker starts,
    that is the operator's matter, and no job fails by it."""
    metrics_address()
    drain_grace_s()
    cache_bytes()
    http_most_bytes()
    allowed_hosts(HTTP_ALLOW)
    allowed_hosts(WEBHOOK_ALLOW)


def drain_grace_s() -> float:
    """Seconds that a worker which was told to stop lets its steps go on.

    Raises CapabilityMissing if the environment says something else.
    """
    text = os.environ.get("LONGTAKE_DRAIN_GRACE") or "30"
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise CapabilityMissing(f"LONGTAKE_DRAIN_GRACE={text} is no number of seconds, such as 30")
    return float(text)


def model_folders() -> tuple[Path, ...]:
    """Folders in which speech models lie, one folder each, in the order in which they are asked."""
    named = os.environ.get("LONGTAKE_MODELS") or str(Home.from_environment().path / "models")
    folders = filter(None, named.split(os.pathsep))
    return tuple(Path(folder).expanduser().absolute() for folder in folders)


def cache_bytes() -> int:
    """How much of remote sources the host's cache keeps. A source in use is kept beyond it."""
    return _bytes("LONGTAKE_CACHE_SIZE", "50G")


def http_most_bytes() -> int:
    """The largest source that a link may bring."""
    return _bytes("LONGTAKE_HTTP_MAX_SIZE", "100G")


def allowed_hosts(variable: str) -> frozenset[tuple[str, int]]:
    """Hosts and ports that may be connected to, though they are private or not `https`, 443.

    Raises CapabilityMissing for an entry that is neither.
    """
    entries = os.environ.get(variable, "").split(",")
    found = set()
    for entry in filter(None, map(str.strip, entries)):
        host, _, port = entry.rpartition(":")
        if not host or not port.isdigit():
            raise CapabilityMissing(
                f"{variable}: {entry} is not host:port, such as media.example:8080"
            )
        found.add((host.strip("[]").lower(), int(port)))
    return frozenset(found)


def webhook_secrets(name: str) -> tuple[str, ...]:
    """The secrets of this name: one, or while it is changed several, with white space between.

    From the environment, or else from a file that is read each time, so that it may change.
    Raises CapabilityMissing if this worker has none.
    """
    variable = f"LONGTAKE_WEBHOOK_SECRET_{name.upper().replace('-', '_')}"
    folder = os.environ.get("LONGTAKE_WEBHOOK_SECRETS")
    file = Path(folder or Home.from_environment().path / "webhook-secrets") / name
    text = os.environ.get(variable)
    if text is None and file.is_file():
        text = file.read_text(encoding="utf-8")
    if not text or not text.split():
        raise CapabilityMissing(
            f"no secret called {name} signs webhooks on this worker: set {variable}, or write it "
            f"to {file}"
        )
    return tuple(text.split())


_SIZE = re.compile(r"(\d+)\s*([kMGT]?)i?B?")
_TIMES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def _bytes(name: str, default: str) -> int:
    text = os.environ.get(name) or default
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise CapabilityMissing(f"{name}={text} is no size; write 50G, 500M or a number of bytes")
    return int(found[1]) * _TIMES[found[2]]
