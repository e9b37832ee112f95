"""The work store: finished steps under content keys, so that nothing is done twice.

A key is a hash of everything that shapes the bytes: source, range, settings, engine version.
What lies under a key is therefore always right, whoever put it there. Writers prepare a
private file and publish it if the key is still free; readers never see half a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from longtake.errors import ResourceExhausted
from storage.claims import Claims
from storage.ledger import Ledger

OBJECTS = "objects"
NOTES = "notes"
LEASES = "leases"
UPLOADS = "uploads"
CLAIMS = "claims"


def content_key(kind: str, **facts: object) -> str:
    """A key from everything that shapes the bytes. Values must be plain JSON."""
    canonical = json.dumps({"kind": kind, **facts}, sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(canonical.encode()).hexdigest()}"


def name_of(key: str) -> str:
    """Where the object of a key lies among the objects; not all of them side by side."""
    digest = key.rpartition("-")[2]
    return f"{digest[:2]}/{key}"


class Lease(Protocol):
    """The right to publish an output, held by the highest term only (a fencing token)."""

    def check(self) -> None:
        """Raises ResourceExhausted if a later term has begun."""

    def publish(self, action: Callable[[], None]) -> None:
        """Call `action` unless a later term has begun.

        On one host nobody begins one meanwhile. Raises ResourceExhausted if one has, or while
        another process of this host publishes the same output.
        """


class WorkStore(Protocol):
    """What all workers share. Drafts are each host's own."""

    @property
    def ledger(self) -> Ledger:
        """The ledger of open uploads to buckets."""

    @property
    def claims(self) -> Claims:
        """The claims of jobs on folders that they fill."""

    async def has(self, key: str) -> bool:
        """Whether a key is taken. What lies there becomes young again: no sweep takes it."""

    async def hold(self, key: str) -> Path:
        """The object of a key as a local file, there until the calling asyncio task ends.

        Raises ResourceExhausted if it is gone.
        """

    async def read(self, key: str) -> bytes:
        """The bytes of a key. Raises ResourceExhausted if it is gone."""

    async def put(self, key: str, data: bytes) -> None:
        """Publish small data under a key."""

    def drafting(self, key: str) -> AbstractContextManager[Path]:
        """A private file to write to; what is not published by the end is removed."""

    async def publish(self, draft: Path, key: str) -> None:
        """Put a draft under its key, unless the key is taken: then the draft is dropped.

        What lies there is never replaced, also not by a worker that was thought dead and comes
        back.
        """

    async def note(self, key: str, name: str, text: str) -> int:
        """Leave a note on a key (such as that its process was killed); returns how many lie."""

    async def lease(self, key: str, term: int) -> Lease:
        """Begin a term on a key. Later terms take it from earlier ones, wherever these are.

        Raises ResourceExhausted while another process of this host publishes under the key.
        """

    def drop_dead_drafts(self) -> int:
        """Remove drafts of processes of this host that are no more; returns how many."""

    def sweep(self, older_than_s: float) -> tuple[int, int]:
        """Remove what was not used for so long. Returns files removed and bytes freed.

        Only what this store itself wrote, and never leases: they are tiny, and one that is
        gone would let an old attempt publish.
        """


def gone(key: str) -> ResourceExhausted:
    """What to say when an object that was there is missing."""
    return ResourceExhausted(
        f"the finished part {key} is gone from the work store; was it swept while the job ran? "
        "Then start the job again: it makes what is missing"
    )


def superseded() -> ResourceExhausted:
    """What to say to an attempt whose output has gone over to a later one."""
    return ResourceExhausted("a later attempt publishes this output; this one stops")
