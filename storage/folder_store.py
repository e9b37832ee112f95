"""The work store as a folder that all workers share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from longtake.settings import PIPELINES
from storage.claims import FolderClaims
from storage.drafts import Drafts, sweep_files
from storage.ledger import FolderLedger
from storage.local import link, storage_errors, sync
from storage.lock import locked
from storage.work import CLAIMS, LEASES, NOTES, OBJECTS, UPLOADS, gone, name_of, superseded

TEMPORARY = "tmp"


class FolderStore:
    """Objects are files under their keys; a link publishes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = FolderLedger(folder / UPLOADS)
        self.claims = FolderClaims(folder / CLAIMS)
        self._drafts = Drafts(folder / TEMPORARY)

    def path(self, key: str) -> Path:
        """Where the object of a key lies, or would lie."""
        return self.folder / OBJECTS / name_of(key)

    async def has(self, key: str) -> bool:
        """Whether a key is taken; its age starts anew, so that it is not swept."""
        try:
            os.utime(self.path(key))
        except FileNotFoundError:
            return False
        return True

    async def hold(self, key: str) -> Path:
        """The object of a key, where it lies. Raises ResourceExhausted if it is gone."""
        if not await self.has(key):
            raise gone(key)
        return self.path(key)

    async def read(self, key: str) -> bytes:
        """The bytes of a key. Raises ResourceExhausted if it is gone."""
        return (await self.hold(key)).read_bytes()

    async def put(self, key: str, data: bytes) -> None:
        """Publish small data under a key."""
        with self.drafting(key) as draft:
            draft.write_bytes(data)
            await self.publish(draft, key)

    def drafting(self, key: str) -> AbstractContextManager[Path]:
        """A private file to write to; what is not published by the end is removed."""
        return self._drafts.begin(key)

    async def publish(self, draft: Path, key: str) -> None:
        """Put a draft under its key, unless the key is taken.

        A link, not a rename: what lies there is never replaced, also not by a worker that
        was thought dead and comes back.
        """
        await asyncio.to_thread(self._publish, draft, self.path(key))

    @staticmethod
    def _publish(draft: Path, path: Path) -> None:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sync(draft)
            link(draft, path)
            sync(path.parent)

    async def note(self, key: str, name: str, text: str) -> int:
        """Leave a note on a key; returns how many lie."""
        folder = self.folder / NOTES / key
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            return len(list(folder.iterdir()))

    async def lease(self, key: str, term: int) -> FolderLease:
        """Begin a term on a key.

        Raises ResourceExhausted while another process holds the key's lock and stands still.
        """
        lease = FolderLease(self.folder / LEASES / key, term)
        await asyncio.to_thread(lease.take)
        return lease

    def drop_dead_drafts(self) -> int:
        """Remove drafts of processes of this host that are no more; returns how many."""
        return self._drafts.drop_dead()

    def sweep(self, older_than_s: float) -> tuple[int, int]:
        """Remove what was not used for so long. Returns files removed and bytes freed."""
        own = (OBJECTS, TEMPORARY, NOTES, PIPELINES)
        return sweep_files([self.folder / name for name in own], older_than_s)


class FolderLease:
    """A term in a file, under a lock that holds on all hosts that share the folder."""

    def __init__(self, path: Path, term: int) -> None:
        self._path = path
        self._term = term

    def take(self) -> None:
        """Write our term, if no later one is there."""
        with locked(self._path.with_suffix(".lock")):
            if self._term > self._current():
                self._path.with_suffix(".term").write_text(str(self._term))

    def check(self) -> None:
        """Raises ResourceExhausted if a later term has begun."""
        if self._current() > self._term:
            raise superseded()

    def publish(self, action: Callable[[], None]) -> None:
        """Call `action` if no later term has begun; nobody can begin one meanwhile.

        Raises ResourceExhausted if one has, or while another process holds the lock.
        """
        with locked(self._path.with_suffix(".lock")):
            self.check()
            action()

    def _current(self) -> int:
        try:
            return int(self._path.with_suffix(".term").read_text())
        except (FileNotFoundError, ValueError):
            return 0
