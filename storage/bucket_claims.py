"""Claims on folders, as objects of the work store."""

from __future__ import annotations

from collections.abc import Iterator

from storage.bucket import FREE, Prefix
from storage.claims import Claim, Held, place_of
from storage.uploads import Condition
from storage.work import CLAIMS


class BucketClaims:
    """Claims are objects, replaced by compare-and-swap."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix

    def of(self, folder: str) -> Held | None:
        """The claim on a folder."""
        return self._read(f"{CLAIMS}/{place_of(folder)}")

    def write(self, folder: str, claim: Claim, tag: str | None) -> Held | None:
        """Write a claim on condition; if its answer was lost, what lies there tells."""
        name = f"{CLAIMS}/{place_of(folder)}"
        condition: Condition = FREE if tag is None else {"IfMatch": tag}
        written = self._prefix.write(name, claim.model_dump_json().encode(), condition)
        held = self._read(name)
        return held if held and (written or held.claim == claim) else None

    def remove(self, folder: str) -> None:
        """Remove the claim on a folder, if there is one."""
        self._prefix.remove(f"{CLAIMS}/{place_of(folder)}")

    def older(self, than_s: float) -> Iterator[tuple[str, Claim]]:
        """Claims that were written so long ago, by the server's clock."""
        for each in self._prefix.list(f"{CLAIMS}/"):
            held = self._read(each.name) if each.age_s > than_s else None
            if held is not None:
                yield held.claim.output, held.claim

    def _read(self, name: str) -> Held | None:
        found = self._prefix.look(name)
        read = self._prefix.read(name) if found else None
        if found is None or read is None:
            return None
        return Held(Claim.model_validate_json(read[0]), found.age_s, read[1])
