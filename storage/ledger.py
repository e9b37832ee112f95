"""The ledger of open uploads to buckets, which all workers share; part of the work store."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from longtake.contracts.base import Contract
from storage.address import Address


class Note(Contract):
    """An upload of ours. Without `upload_id` it was asked for, and the answer never came."""

    bucket: str
    key: str
    job_id: str
    sha256: str
    part_bytes: int
    before: tuple[str, ...]
    """Uploads of this key that were open already; they belong to somebody else."""
    upload_id: str | None = None
    asked_again: bool = False
    """The request was repeated on the way: then there may be one more upload than is known."""

    @property
    def address(self) -> Address:
        """What is uploaded to."""
        return Address(self.bucket, self.key)


def new_entry(address: Address) -> str:
    """A name for a note, beside those of the same address."""
    return f"{place_of(address)}/{secrets.token_hex(8)}.json"


def place_of(address: Address) -> str:
    """Where the notes of an address lie."""
    return hashlib.sha256(str(address).encode()).hexdigest()[:32]


class Ledger(Protocol):
    """Notes under names of `new_entry`."""

    def write(self, entry: str, note: Note) -> None:
        """Write a note, whole, in the place of an earlier one of this name."""

    def of(self, address: Address) -> Iterator[tuple[str, Note]]:
        """The notes of an address, with their names."""

    def older(self, than_s: float) -> Iterator[tuple[str, Note]]:
        """Notes that were written so long ago."""

    def remove(self, entry: str) -> None:
        """Remove a note, if it is there."""


class FolderLedger:
    """Notes are files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, entry: str, note: Note) -> None:
        """Write a note, whole."""
        path = self._folder / entry
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(note.model_dump_json())
        draft.replace(path)

    def of(self, address: Address) -> Iterator[tuple[str, Note]]:
        """The notes of an address, with their names."""
        for path in sorted((self._folder / place_of(address)).glob("*.json")):
            yield from self._read(path)

    def older(self, than_s: float) -> Iterator[tuple[str, Note]]:
        """Notes that were written so long ago."""
        horizon = time.time() - than_s
        for path in sorted(self._folder.glob("*/*.json")):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < horizon:
                    yield from self._read(path)

    def remove(self, entry: str) -> None:
        """Remove a note, if it is there."""
        path = self._folder / entry
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # the last note

    def _read(self, path: Path) -> Iterator[tuple[str, Note]]:
        with contextlib.suppress(FileNotFoundError):
            note = Note.model_validate_json(path.read_bytes())
            yield f"{path.parent.name}/{path.name}", note
