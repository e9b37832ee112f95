"""The work store: finished steps under content keys, so that nothing is done twice.

A key is a hash of everything that shapes the bytes: source, range, settings, engine version.
What lies under a key is therefore always right, whoever put it there. Writers prepare a
private file and publish it if the key is still free; readers never see half a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from longtake.errors import ResourceExhausted
from storage.local import link, storage_errors, sync

TEMPORARY = "tmp"
OBJECTS = "objects"
NOTES = "notes"
LOCK_WAIT_S = 10.0
UPLOADS = "uploads"
"""The ledger of open uploads: see storage/uploads.py."""
_HOST = platform.node().replace(".", "-") or "host"


def content_key(kind: str, **facts: object) -> str:
    """A key from everything that shapes the bytes. Values must be plain JSON."""
    canonical = json.dumps({"kind": kind, **facts}, sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(canonical.encode()).hexdigest()}"


class WorkStore:
    """A folder that all workers share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the object of a key lies, or would lie."""
        digest = key.rpartition("-")[2]
        return self.folder / OBJECTS / digest[:2] / key

    def find(self, key: str) -> Path | None:
        """The finished object of a key; its age starts anew, so that it is not swept."""
        path = self.path(key)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def read(self, key: str) -> bytes:
        """The bytes of a key. Raises ResourceExhausted if it is gone."""
        path = self.find(key)
        if path is None:
            raise ResourceExhausted(
                f"{key} is gone from the work store; start the job again: it makes what is missing"
            )
        return path.read_bytes()

    def put(self, key: str, data: bytes) -> Path:
        """Publish small data under a key."""
        with self.drafting(key) as draft:
            draft.write_bytes(data)
            return self.publish(draft, key)

    @contextlib.contextmanager
    def drafting(self, key: str) -> Iterator[Path]:
        """A private file to write to; what is not published by the end is removed."""
        folder = self.folder / TEMPORARY
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_HOST}.{os.getpid()}.{key[:40]}.{secrets.token_hex(6)}"
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def publish(self, draft: Path, key: str) -> Path:
        """Put a draft under its key, unless the key is taken: then the draft is dropped.

        A link, not a rename: what lies there is never replaced, also not by a worker that
        was thought dead and comes back.
        """
        path = self.path(key)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sync(draft)
            link(draft, path)
            sync(path.parent)
        return path

    def note(self, key: str, name: str, text: str) -> int:
        """Leave a note on a key (such as that its process was killed); returns how many lie."""
        folder = self.folder / NOTES / key
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            return len(list(folder.iterdir()))

    def lease(self, key: str, term: int) -> Lease:
        """Begin a term on a key. Later terms take it from earlier ones, wherever these are.

        Raises ResourceExhausted while another process holds the key's lock and stands still.
        """
        folder = self.folder / "leases"
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lease = Lease(folder / key, term)
        lease.take()
        return lease

    def drop_dead_drafts(self) -> int:
        """Remove drafts of processes of this host that are no more; returns how many."""
        dropped = 0
        for draft in (self.folder / TEMPORARY).glob(f"{_HOST}.*"):
            pid = draft.name.split(".")[1]
            if pid.isdigit() and not _is_alive(int(pid)):
                draft.unlink(missing_ok=True)
                dropped += 1
        return dropped

    def sweep(self, older_than_s: float) -> tuple[int, int]:
        """Remove what was not used for so long. Returns files removed and bytes freed.

        Only what this store itself wrote, and never leases: they are tiny, and one that is
        gone would let an old attempt publish.
        """
        horizon, removed, freed = time.time() - older_than_s, 0, 0
        own = (OBJECTS, TEMPORARY, NOTES)
        for path in (found for name in own for found in (self.folder / name).rglob("*")):
            with contextlib.suppress(OSError):
                found = path.lstat()
                if path.is_file() and found.st_mtime < horizon:
                    path.unlink()
                    removed, freed = removed + 1, freed + found.st_size
        return removed, freed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Lease:
    """The right to publish, held by the highest term only (a fencing token)."""

    def __init__(self, path: Path, term: int) -> None:
        self._path = path
        self.term = term

    def take(self) -> None:
        """Write our term, if no later one is there."""
        with self._locked() as current:
            if self.term > current:
                self._path.with_suffix(".term").write_text(str(self.term))

    def publish(self, action: Callable[[], None]) -> None:
        """Call `action` if no later term has begun; nobody can begin one meanwhile.

        Raises ResourceExhausted if one has, or while another process holds the lock.
        """
        with self._locked() as current:
            if current > self.term:
                raise ResourceExhausted("a later attempt publishes this output; this one stops")
            action()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        with self._path.with_suffix(".lock").open("a") as lock:
            _wait_for(lock)
            try:
                current = int(self._path.with_suffix(".term").read_text())
            except (FileNotFoundError, ValueError):
                current = 0
            yield current


def _wait_for(lock: IO[str]) -> None:
    """Not for ever: the holder may be a process that stands still."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ResourceExhausted(
                    "another process is publishing this output and does not move; this attempt "
                    "gives way, and the next one looks again"
                ) from None
            time.sleep(0.05)
