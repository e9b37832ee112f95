"""The host's cache of remote objects: each version of an object comes to a host once.

All processes of the host share it. An entry is a few files of one name:

    NAME.lock    flock: shared while somebody reads the data, exclusive while it is made or removed
    NAME.data    the bytes, whole; its time of change is its last use
    NAME.part    the bytes in the making, and NAME.ranges, what of them is there
    NAME.blocks  for an object of which parts alone are needed: what of the data is there

Locks are the kernel's: those of a killed process are free at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longtake.errors import ResourceExhausted, StorageUnavailable
from storage.cache import FingerprintCache
from storage.download import boot, download, note_of
from storage.local import no_room, sha256_of
from storage.portions import Portions, make_sparse, marks_of
from storage.remote import Remote
from storage.threads import transfer

LEAST_BYTES = 16 << 20
"""A smaller object is fetched whole: what FFmpeg looks at before it begins is most of it."""
MOST_IN_PORTIONS = 0.5
"""Of an object; then the rest is fetched, too, in large ranges and with its hash."""
MOST_BELIEVED = 10_000
"""Files that a process remembers to have read whole."""
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.02, 0.5


@dataclass(frozen=True)
class Held:
    """An object's bytes on this host, kept there until the task that asked for them ends."""

    path: Path
    sha256: str


class HostCache:
    """Bounded in size, the least recently used goes first, and never what is in use."""

    def __init__(self, folder: Path, most_bytes: int, hashes: FingerprintCache) -> None:
        self._folder = folder / "sources"
        self._most_bytes = most_bytes
        self._hashes = hashes
        self._portions: dict[Path, Portions] = {}
        self._sound: set[tuple[Path, int]] = set()
        """Files, by path and inode, that this process has brought, or found to be as they came."""

    async def sha256(self, remote: Remote) -> str:
        """The hash of the object's content; downloads it only if it never was on this host."""
        return self._hashes.get(remote.identity) or (await self.hold(remote)).sha256

    async def hold(self, remote: Remote, sha256: str | None = None) -> Held:
        """The object's bytes as a local file, downloaded by whoever on this host comes first.

        The file stays until the calling asyncio task ends. Raises what `download` raises,
        StorageUnavailable if what came is not what `sha256` says, and ResourceExhausted where
        the disk has no room.
        """
        entry, pause = self._entry(remote.identity), _FIRST_LOOK_S
        while True:
            if (lock := entry.lock(fcntl.LOCK_SH)) is not None:
                held = None
                try:
                    held = await self._as_it_came(remote, entry, sha256)
                finally:
                    if held is None:
                        os.close(lock)
                if held is not None:
                    _until_the_task_ends(functools.partial(os.close, lock))
                    return held
            if (lock := entry.lock(fcntl.LOCK_EX)) is not None:
                fill = functools.partial(self._fill, remote, entry, sha256)
                await transfer(fill, after=functools.partial(os.close, lock))
                continue
            await asyncio.sleep(pause)  # somebody else brings it
            pause = min(_LONGEST_LOOK_S, pause * 2)

    def keep(self, remote: Remote, made: Path) -> None:
        """Take in what was made here, so that it need not be fetched. The file is linked: it
        must lie on the cache's file system, and nobody may write to it any more.

        Where it cannot be had, because it is in use or the disk is full, the next reader fetches.
        """
        entry = self._entry(remote.identity)
        if (lock := entry.lock(fcntl.LOCK_EX)) is None:
            return
        try:
            if entry.data.exists():
                return
            entry.forget_part()
            os.link(made, entry.part)
            self._make_room(entry, made.stat().st_size)
            entry.part.replace(entry.data)
            self._believe(entry)
        except ResourceExhausted:
            entry.forget_part()
        finally:
            os.close(lock)

    async def portions(self, remote: Remote) -> Portions | None:
        """The object with its bytes to come when they are read; None where `hold` is cheaper:
        all of it is here or on its way, half of it was needed already, or it is small.

        What is here stays until the calling asyncio task ends.
        """
        if remote.size is None or not remote.ranged or remote.size < LEAST_BYTES:
            return None
        if self._entry(remote.identity).is_whole_or_coming():
            return None
        entry, pause = self._entry(_in_portions(remote)), _FIRST_LOOK_S
        while True:
            if (lock := entry.lock(fcntl.LOCK_SH)) is not None:
                if entry.touch():
                    fresh = Portions(remote, remote.size, entry.data)
                    found = self._portions.setdefault(entry.data, fresh)
                    if found.bytes_here() < remote.size * MOST_IN_PORTIONS:
                        _until_the_task_ends(functools.partial(os.close, lock))
                        return found
                    os.close(lock)
                    return None
                os.close(lock)
            if (lock := entry.lock(fcntl.LOCK_EX)) is not None:
                begin = functools.partial(self._begin_portions, remote.size, entry)
                await transfer(begin, after=functools.partial(os.close, lock))
                continue
            await asyncio.sleep(pause)
            pause = min(_LONGEST_LOOK_S, pause * 2)

    def _begin_portions(self, size: int, entry: _Entry, stop: threading.Event) -> None:
        if entry.data.exists():
            return
        self._make_room(entry, int(size * MOST_IN_PORTIONS))
        entry.part.unlink()
        make_sparse(entry.data, size)

    def sweep(self, older_than_s: float) -> tuple[int, int]:
        """Remove what nobody used for so long. Returns entries removed and bytes freed."""
        horizon = time.time() - older_than_s
        old = [(entry, size) for used, size, entry in self._by_age() if used < horizon]
        freed = [size for entry, size in old if entry.remove()]
        return len(freed), sum(freed)

    def _fill(
        self, remote: Remote, entry: _Entry, wanted: str | None, stop: threading.Event
    ) -> None:
        """Make the data of an entry whose lock is ours."""
        if entry.data.exists():
            return
        if not entry.part.exists():
            note_of(entry.part).unlink(missing_ok=True)
        self._make_room(entry, remote.size or 0)
        portions = self._entry(_in_portions(remote))
        with portions.reading() as there:
            known = Portions(remote, remote.size or 0, portions.data) if there else None
            room = functools.partial(self._make_room, entry)
            sha256 = download(remote, entry.part, stop, room, known)
        if wanted is None:
            self._hashes.put(remote.identity, sha256)
        elif sha256 != wanted:
            entry.forget_part()
            raise StorageUnavailable(f"{remote.shown} did not come as it was put there")
        entry.part.replace(entry.data)
        self._believe(entry)
        portions.remove()  # or, if in use, when it is the least recently used

    async def _as_it_came(self, remote: Remote, entry: _Entry, sha256: str | None) -> Held | None:
        """The data of an entry that is locked; None where it is not there, or no longer what came:
        then it goes, to be fetched anew. Each process reads it once for that."""
        if not entry.touch():
            return None
        known = sha256 or await self._sha256_of(remote, entry)
        if entry.file not in self._sound:
            if await transfer(lambda _: sha256_of(entry.data)) != known:
                entry.data.unlink()
                return None
            self._believe(entry)
        return Held(entry.data, known)

    def _believe(self, entry: _Entry) -> None:
        if len(self._sound) >= MOST_BELIEVED:
            self._sound.clear()
        self._sound.add(entry.file)

    async def _sha256_of(self, remote: Remote, entry: _Entry) -> str:
        known = self._hashes.get(remote.identity)
        if known is None:  # forgotten, for there were many
            known = await transfer(lambda _: sha256_of(entry.data))
            self._hashes.put(remote.identity, known)
        return known

    def _make_room(self, entry: _Entry, size: int) -> None:
        """Reserve the size: what is in the making counts as if it were there already.

        Raises ResourceExhausted where the disk itself is full.
        """
        with _alone(self._folder / "room"):
            others = [found for found in self._by_age() if found[2].lock_path != entry.lock_path]
            total = sum(found_size for _, found_size, _ in others)
            allocated = entry.allocated()
            for _, found_size, other in others:
                free = shutil.disk_usage(self._folder).free + allocated
                if total + size <= self._most_bytes and size <= free:
                    break
                if other.remove():
                    total -= found_size
            if size > shutil.disk_usage(self._folder).free + allocated:
                raise ResourceExhausted(no_room(self._folder))
            descriptor = os.open(entry.part, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(descriptor, size)
            finally:
                os.close(descriptor)

    def _by_age(self) -> list[tuple[float, int, _Entry]]:
        """Entries with their last use and their bytes, the least recently used first."""
        found = []
        for path in self._folder.glob("*.lock"):
            entry = _Entry(path)
            used, size = entry.use()
            found.append((used, size, entry))
        return sorted(found, key=lambda each: each[0])

    def _entry(self, identity: str) -> _Entry:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = hashlib.sha256(identity.encode()).hexdigest()[:40]
        return _Entry(self._folder / f"{name}.lock")


@dataclass(frozen=True)
class _Entry:
    lock_path: Path

    @property
    def data(self) -> Path:
        return self.lock_path.with_suffix(".data")

    @property
    def part(self) -> Path:
        return self.lock_path.with_suffix(".part")

    @property
    def file(self) -> tuple[Path, int]:
        """Which file the data is now."""
        return self.data, self.data.stat().st_ino

    def lock(self, how: int) -> int | None:
        """A descriptor that holds the lock until it is closed; None if others have it."""
        while True:
            descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), os.stat(self.lock_path)):  # noqa: PTH116
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:
                pass
            os.close(descriptor)  # the entry was removed between opening and locking

    def is_whole_or_coming(self) -> bool:
        """Whether all the data is there, or somebody is about to bring it."""
        lock = self.lock(fcntl.LOCK_SH)
        if lock is None:
            return True
        os.close(lock)
        return self.data.exists()

    @contextlib.contextmanager
    def reading(self) -> Iterator[bool]:
        """Keep the data while it is read; says whether there is any that may be read now."""
        lock = self.lock(fcntl.LOCK_SH) if self.lock_path.exists() else None
        try:
            yield lock is not None and self.data.exists()
        finally:
            if lock is not None:
                os.close(lock)

    def touch(self) -> bool:
        """Mark a use, and say whether the data is there."""
        try:
            os.utime(self.data)
        except FileNotFoundError:
            return False
        return True

    def use(self) -> tuple[float, int]:
        """Time of the last use, and bytes, those still to come of a part included."""
        for path in (self.data, self.part, self.lock_path):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                return found.st_mtime, found.st_size
        return 0.0, 0

    def allocated(self) -> int:
        """Bytes of the disk that the part in the making takes already."""
        try:
            return self.part.stat().st_blocks * 512
        except FileNotFoundError:
            return 0

    def forget_part(self) -> None:
        """Begin anew."""
        note_of(self.part).unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)

    def remove(self) -> bool:
        """Remove the entry unless it is in use."""
        lock = self.lock(fcntl.LOCK_EX)
        if lock is None:
            return False
        try:
            beside = (note_of(self.part), marks_of(self.data))
            for path in (self.data, self.part, *beside, self.lock_path):
                path.unlink(missing_ok=True)
        finally:
            os.close(lock)
        return True


def _in_portions(remote: Remote) -> str:
    """What is fetched in portions is not flushed: it holds for one boot."""
    return f"{remote.identity} in portions since {boot()}"


def _until_the_task_ends(release: Callable[[], None]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda _: release())


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
