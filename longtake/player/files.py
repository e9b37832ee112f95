"""Where the files of a package come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longtake.errors import InputNotFound, InvalidJob

MASTER = "master.m3u8"
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class File:
    """A file of a package: its size in bytes, and how `length` bytes from `first` are read."""

    size: int
    read: Callable[[int, int], Iterator[bytes]]


class Files(Protocol):
    """The files of one package."""

    def find(self, name: str) -> File | None:
        """A file by its path in the package, as it stands in a playlist. None if it is not there.

        Raises LongtakeError if it cannot be told.
        """
        ...


class Folder:
    """A package in a folder. Nothing outside of it is found, whatever links lie in it."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidJob or InputNotFound if no package lies there."""
        if path.is_file():
            raise InvalidJob(f"{path} is a file; name the folder of the package")
        self._root = path.resolve()
        if self.find(MASTER) is None:
            raise InputNotFound(no_package(str(path)))

    def find(self, name: str) -> File | None:
        """As `Files` says."""
        if not is_name(name):
            return None
        try:
            path = (self._root / name).resolve(strict=True)
            if not path.is_relative_to(self._root) or not path.is_file():
                return None
            return File(path.stat().st_size, lambda first, length: _read(path, first, length))
        except (OSError, RuntimeError):  # the latter before Python 3.13, of links in a circle
            return None


def is_name(name: str) -> bool:
    """Whether a path leads down into a package; hidden files are none of it."""
    unknown = "\\" in name or "\0" in name
    return not unknown and not any(part == "" or part[0] == "." for part in name.split("/"))


def no_package(place: str) -> str:
    """What to say where there is no master playlist."""
    return f"there is no {MASTER} in {place}: name a package, as `longtake package` makes it"


def _read(path: Path, first: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length and (block := file.read(min(length, BLOCK_BYTES))):
            length -= len(block)
            yield block
