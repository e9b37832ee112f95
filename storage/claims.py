"""Claims: which job fills a folder with a tree, and what it must be able to undo.

A claim is written before the first file is, and lies in the work store until all is published or
undone. So what a killed job left is known to whoever cleans up after it, and two jobs cannot fill
one folder at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longtake.contracts.base import Contract
from storage.local import storage_errors, sync
from storage.lock import locked


class Loose(Contract):
    """A file whose name says nothing of its content: another one may have lain there."""

    name: str
    sha256: str
    """Of what the job puts there."""
    before: str | None
    """Work store key of what lay there; None if nothing did."""


class Claim(Contract):
    """A job's claim on a folder."""

    job_id: str
    output: str
    tree_key: str
    made_folder: bool
    """There was no folder: the job makes it."""
    sizes: dict[str, int]
    """Bytes of the immutable files that were not there when the job came."""
    loose: tuple[Loose, ...]
    """All others, in the order in which they appear."""
    replaced: tuple[str, ...] = ()
    """Names that only the package had which lay there before."""
    live: bool = False
    """All is published: from here there is only a way on, none back."""


@dataclass(frozen=True)
class Held:
    """A claim as it lies in the store: how long ago it was written, and a tag of this writing."""

    claim: Claim
    age_s: float
    tag: str


class Claims(Protocol):
    """At most one claim a folder. Folders are known by their full name."""

    def of(self, folder: str) -> Held | None:
        """The claim on a folder. Raises StorageUnavailable."""

    def write(self, folder: str, claim: Claim, tag: str | None) -> Held | None:
        """Write a claim in the place of the one with this tag; without one, where there is none.

        Gives what was written; None if something else lies there. Raises StorageUnavailable.
        """

    def remove(self, folder: str) -> None:
        """Remove the claim on a folder, if there is one."""

    def older(self, than_s: float) -> Iterator[tuple[str, Claim]]:
        """Claims that were written so long ago, with their folders."""


def place_of(folder: str) -> str:
    """The name of a folder's claim."""
    return f"{hashlib.sha256(folder.encode()).hexdigest()[:32]}.json"


class FolderClaims:
    """Claims are files, written under a lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, folder: str) -> Held | None:
        """The claim on a folder."""
        return self._read(self._folder / place_of(folder))

    def write(self, folder: str, claim: Claim, tag: str | None) -> Held | None:
        """Write a claim, whole and flushed, if what lies there has this tag."""
        path = self._folder / place_of(folder)
        with locked(path.with_suffix(".lock")), storage_errors(path):
            held = self._read(path)
            if (held.tag if held else None) != tag:
                return None
            draft = path.with_suffix(".draft")
            draft.write_text(claim.model_dump_json())
            sync(draft)
            draft.replace(path)
            sync(path.parent)
            return self._read(path)

    def remove(self, folder: str) -> None:
        """Remove the claim on a folder, if there is one; its lock stays, for others may wait."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / place_of(folder)).unlink()

    def older(self, than_s: float) -> Iterator[tuple[str, Claim]]:
        """Claims that were written so long ago."""
        for path in sorted(self._folder.glob("*.json")):
            held = self._read(path)
            if held is not None and held.age_s > than_s:
                yield held.claim.output, held.claim

    @staticmethod
    def _read(path: Path) -> Held | None:
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                claim = Claim.model_validate_json(file.read())
        except FileNotFoundError:
            return None
        return Held(claim, time.time() - found.st_mtime, f"{found.st_ino:x}-{found.st_mtime_ns:x}")
