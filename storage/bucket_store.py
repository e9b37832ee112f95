"""The work store as a prefix of a bucket, for hosts that share no file system.

Objects are put on condition that their key is free, and read through the host's cache, which
keeps what was made here. Drafts lie on the host's own disk. Nothing is locked in the bucket, and
no clock of a host has a say.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from longtake.errors import StorageUnavailable
from longtake.settings import PIPELINES
from storage.bucket import FREE, MISSING, Found, Listed, Prefix, storing
from storage.bucket_claims import BucketClaims
from storage.bucket_ledger import BucketLedger
from storage.drafts import Drafts, sweep_files
from storage.folder_store import TEMPORARY
from storage.host_cache import HostCache
from storage.local import sha256_of, storage_errors, sync
from storage.lock import locked
from storage.s3_client import client, code_of, where
from storage.threads import transfer
from storage.work import LEASES, NOTES, OBJECTS, gone, name_of, superseded

TRIALS = "trials"
"""What a worker writes as it starts: see storage/bucket_proof.py."""
YOUNG_S = 6 * 3600.0
"""What is used when it is older becomes young again; younger, that would be too many copies."""
MOST_COPIED_BYTES = 5 << 30
"""S3's own limit of a copy in one request."""
TAKES = 20
"""So often a term is written again where others begin theirs at the same time."""
_SIDE_BY_SIDE = 16
_PIECE = 1 << 20


class BucketStore:
    """Objects, notes, terms and the ledger under one prefix; drafts and locks on this host."""

    def __init__(self, uri: str, folder: Path, cache: HostCache) -> None:
        """`folder`: for drafts, on the file system of the cache."""
        self.prefix = Prefix.of(uri)
        self.ledger = BucketLedger(self.prefix)
        self.claims = BucketClaims(self.prefix)
        self._folder = folder
        self._drafts = Drafts(folder / TEMPORARY)
        self._cache = cache

    async def has(self, key: str) -> bool:
        """Whether a key is taken. Raises StorageUnavailable."""
        return await self._find(key) is not None

    async def hold(self, key: str) -> Path:
        """The object of a key from the host's cache, there until the calling task ends.

        Raises ResourceExhausted if it is gone, StorageUnavailable.
        """
        found = await self._find(key)
        if found is None:
            raise gone(key)
        part = Part(self.prefix, key, found.sha256, found.size)
        return (await self._cache.hold(part, found.sha256)).path

    async def _find(self, key: str) -> Found | None:
        return await transfer(lambda _: self._look(f"{OBJECTS}/{name_of(key)}"))

    def _look(self, name: str) -> Found | None:
        found = self.prefix.look(name)
        if found is not None and found.age_s > YOUNG_S and found.size <= MOST_COPIED_BYTES:
            self.prefix.touch(name, found)
        return found

    async def read(self, key: str) -> bytes:
        """The bytes of a key. Raises ResourceExhausted if it is gone, StorageUnavailable."""
        return (await self.hold(key)).read_bytes()

    async def put(self, key: str, data: bytes) -> None:
        """Publish small data under a key."""
        with self.drafting(key) as draft:
            draft.write_bytes(data)
            await self.publish(draft, key)

    def drafting(self, key: str) -> AbstractContextManager[Path]:
        """A private file on this host; what is not published by the end is removed."""
        return self._drafts.begin(key)

    async def publish(self, draft: Path, key: str) -> None:
        """Put a draft under its key, unless the key is taken; this host keeps it in its cache.

        Raises StorageUnavailable if the bucket is away for long.
        """
        await transfer(lambda stop: self._publish(draft, key, stop))

    def _publish(self, draft: Path, key: str, stop: threading.Event) -> None:
        part = Part(self.prefix, key, sha256_of(draft), draft.stat().st_size)
        self.prefix.give(f"{OBJECTS}/{name_of(key)}", draft, part.sha256, stop)
        # Under its own hash: should another's bytes have been first, nobody reads these here.
        with storage_errors(draft):
            sync(draft)
            self._cache.keep(part, draft)

    async def note(self, key: str, name: str, text: str) -> int:
        """Leave a note on a key; returns how many lie."""
        return await transfer(lambda _: self._note(f"{NOTES}/{key}/", name, text))

    def _note(self, place: str, name: str, text: str) -> int:
        self.prefix.write(place + name, text.encode())
        return sum(1 for _ in self.prefix.list(place))

    async def lease(self, key: str, term: int) -> BucketLease:
        """Begin a term on a key. Raises StorageUnavailable, and ResourceExhausted while another
        process of this host publishes under the key and stands still."""
        lock = self._folder / LEASES / f"{key}.lock"
        lease = BucketLease(self.prefix, f"{LEASES}/{key}", term, lock)
        await asyncio.to_thread(lease.take)
        return lease

    def drop_dead_drafts(self) -> int:
        """Remove drafts of processes of this host that are no more; returns how many."""
        return self._drafts.drop_dead()

    def sweep(self, older_than_s: float) -> tuple[int, int]:
        """Remove what nobody used for so long, by the server's clock; drafts of this host, too.

        Each object is looked at once more right before: it may have been used since it was
        listed. Uploads of parts that never became one are aborted.
        """
        removed, freed = sweep_files([self._folder / TEMPORARY], older_than_s)

        def sweep_one(listed: Listed) -> int | None:
            found = self.prefix.look(listed.name)
            if found is None or found.age_s <= older_than_s:
                return None
            self.prefix.remove(listed.name)
            return found.size

        old = (
            listed
            for own in (OBJECTS, NOTES, TRIALS, PIPELINES)
            for listed in self.prefix.list(f"{own}/")
            if listed.age_s > older_than_s
        )
        with ThreadPoolExecutor(_SIDE_BY_SIDE, "sweep") as pool:
            sizes = [size for size in pool.map(sweep_one, old) if size is not None]
        for own in (OBJECTS, TRIALS):
            self.prefix.abort_older(f"{own}/", older_than_s)
        return removed + len(sizes), freed + sum(sizes)


@dataclass(frozen=True)
class Part:
    """The object of a key, for the host's cache. Known by its content: a key's never changes."""

    prefix: Prefix
    key: str
    sha256: str
    size: int
    ranged: bool = True

    @property
    def identity(self) -> str:
        """Endpoint, address and content."""
        return f"{where()} {self.shown} {self.sha256}"

    @property
    def shown(self) -> str:
        """The address."""
        return str(self.prefix.at(f"{OBJECTS}/{name_of(self.key)}"))

    @contextlib.contextmanager
    def read(self, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        """Bytes of the object. Raises ResourceExhausted if it was swept meanwhile."""
        address = self.prefix.at(f"{OBJECTS}/{name_of(self.key)}")
        last = "" if end is None else end - 1
        with storing(address):
            try:
                body = client().get_object(
                    Bucket=address.bucket, Key=address.key, Range=f"bytes={start}-{last}"
                )["Body"]
            except ClientError as error:
                if code_of(error) in MISSING:
                    raise gone(self.key) from error
                raise
            with contextlib.closing(body):
                yield body.iter_chunks(_PIECE)


class BucketLease:
    """A term as an object that is only replaced by compare-and-swap.

    It is no lock and has no expiry: an attempt that lost its term finds that out when it looks
    once more, which it does between its look at the output and its write. Files of this host are
    published under a lock of this host.
    """

    def __init__(self, prefix: Prefix, name: str, term: int, lock: Path) -> None:
        self._prefix, self._name, self._term, self._lock = prefix, name, term, lock

    def take(self) -> None:
        """Write our term, if no later one is there. Raises StorageUnavailable."""
        with locked(self._lock):
            for _ in range(TAKES):
                current, etag = self._current()
                if current >= self._term:
                    return
                condition = FREE if etag is None else {"IfMatch": etag}
                if self._prefix.write(self._name, str(self._term).encode(), condition):
                    return
        raise StorageUnavailable(f"others begin to publish at {self._name} all the time")

    def check(self) -> None:
        """Raises ResourceExhausted if a later term has begun, StorageUnavailable."""
        if self._current()[0] > self._term:
            raise superseded()

    def publish(self, action: Callable[[], None]) -> None:
        """Call `action` if no later term has begun; on this host nobody begins one meanwhile.

        Raises ResourceExhausted if one has, or while another process of this host publishes.
        """
        with locked(self._lock):
            self.check()
            action()

    def _current(self) -> tuple[int, str | None]:
        found = self._prefix.read(self._name)
        return (0, None) if found is None else (int(found[0]), found[1])
