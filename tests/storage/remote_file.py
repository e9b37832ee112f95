"""A file that plays a remote object: it is read by ranges, and counts what it gave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from longtake.errors import LongtakeError
from storage.portions import Portions, make_sparse


@dataclass
class RemoteFile:
    """One version of it."""

    whole: Path
    ranged: bool = True
    refuses: LongtakeError | None = None
    """Raised by every read from now on."""
    given: list[tuple[int, int]] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return str(self.whole)

    @property
    def shown(self) -> str:
        return self.whole.name

    @property
    def size(self) -> int:
        return self.whole.stat().st_size

    @property
    def gave(self) -> int:
        """Bytes, those that were given twice counted twice."""
        return sum(end - start for start, end in self.given)

    @contextlib.contextmanager
    def read(self, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        if self.refuses is not None:
            raise self.refuses
        with self.whole.open("rb") as file:
            file.seek(start)
            data = file.read(-1 if end is None else end - start)
        self.given.append((start, start + len(data)))
        yield iter([data[: len(data) // 2], data[len(data) // 2 :]])


def portions_of(remote: RemoteFile, folder: Path) -> Portions:
    """The object on another host, which has nothing of it yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / remote.whole.name
    make_sparse(path, remote.size)
    return Portions(remote, remote.size, path)
