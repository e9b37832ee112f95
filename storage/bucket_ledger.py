"""The ledger of open uploads, as objects of the work store."""

from __future__ import annotations

from collections.abc import Iterator

from storage.address import Address
from storage.bucket import Prefix
from storage.ledger import Note, place_of
from storage.work import UPLOADS


class BucketLedger:
    """Notes are objects."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix

    def write(self, entry: str, note: Note) -> None:
        """Write a note, whole."""
        self._prefix.write(f"{UPLOADS}/{entry}", note.model_dump_json().encode())

    def of(self, address: Address) -> Iterator[tuple[str, Note]]:
        """The notes of an address, with their names."""
        for each in self._prefix.list(f"{UPLOADS}/{place_of(address)}/"):
            yield from self._read(each.name)

    def older(self, than_s: float) -> Iterator[tuple[str, Note]]:
        """Notes that were written so long ago, by the server's clock."""
        for each in self._prefix.list(f"{UPLOADS}/"):
            if each.age_s > than_s:
                yield from self._read(each.name)

    def remove(self, entry: str) -> None:
        """Remove a note, if it is there."""
        self._prefix.remove(f"{UPLOADS}/{entry}")

    def _read(self, name: str) -> Iterator[tuple[str, Note]]:
        found = self._prefix.read(name)
        if found is not None:
            yield name.removeprefix(f"{UPLOADS}/"), Note.model_validate_json(found[0])
