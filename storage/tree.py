"""A finished tree of files as one tar of the work store.

A tar of ours has plain files alone, sorted, without times, owners and rights: the same tree gives
the same bytes. One that is read is believed nothing: its names must stay inside a folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from longtake.errors import InputCorrupt

LISTING, DASH, HLS = "package.json", "manifest.mpd", "master.m3u8"
ENTRIES = (LISTING, DASH, HLS)
"""What a package is known and played by, in the order in which it appears, after all else."""
_HASHED = re.compile(r".+-[0-9a-f]{12}/.+")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file of a tree: its name, with slashes, and where its bytes lie in the tar."""

    tar: Path
    name: str
    offset: int
    size: int

    @property
    def is_immutable(self) -> bool:
        """Whether its folder is named by its content, so that no other bytes can have its name."""
        return is_immutable(self.name)

    def pieces(self) -> Iterator[bytes]:
        """Its bytes. Raises InputCorrupt if the tar ends before them."""
        with self.tar.open("rb") as tar:
            tar.seek(self.offset)
            left = self.size
            while left:
                piece = tar.read(min(left, _PIECE))
                if not piece:
                    raise InputCorrupt(f"{self.tar} ends within {self.name}")
                left -= len(piece)
                yield piece

    def read(self) -> bytes:
        """All its bytes; for small files."""
        return b"".join(self.pieces())

    def sha256(self) -> str:
        """Of its bytes, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def copy_to(self, path: Path) -> None:
        """Write its bytes to a file."""
        with path.open("wb") as file:
            file.writelines(self.pieces())


def pack(folder: Path, target: Path) -> None:
    """Write the files below `folder` into one tar at `target`, which must lie elsewhere.

    Raises InputCorrupt for what is no plain file: a link, a pipe, an empty folder has no place.
    """
    names = sorted(_files(folder))
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            path = folder / name
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputCorrupt(f"{path} is no plain file; a tree has nothing else")
        if path.is_dir():
            if not any(path.iterdir()):
                raise InputCorrupt(f"{path} is empty; a tree has no empty folders")
        elif not is_safe(name):
            raise InputCorrupt(f"{path} has a name that a tree cannot have")
        else:
            yield name


def members(tar: Path) -> list[Member]:
    """What lies in a tree's tar, sorted. Nothing is unpacked.

    Raises InputCorrupt if it is no such tar: a name that leads out of the tree or comes twice, a
    link, a folder, a device, or an end before the end.
    """
    try:
        with tarfile.open(tar, "r:") as opened:
            found = [_member(tar, entry) for entry in opened]
    except (tarfile.TarError, OSError) as error:
        raise InputCorrupt(f"{tar} is no tree of files: {error}") from error
    names = {member.name for member in found}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    end = max((member.offset + member.size for member in found), default=0)
    if len(names) < len(found) or names & folders or end > tar.stat().st_size:
        raise InputCorrupt(f"{tar} is no tree of files: names come twice, or files are cut short")
    return sorted(found, key=lambda member: member.name)


def _member(tar: Path, entry: tarfile.TarInfo) -> Member:
    if not entry.isreg() or entry.issparse() or not is_safe(entry.name):
        raise InputCorrupt(f"{tar} is no tree of files: {entry.name!r} has no place in one")
    return Member(tar, entry.name, entry.offset_data, entry.size)


def is_safe(name: str) -> bool:
    """Whether a name stays inside the folder that it is put into, on every system."""
    parts = name.split("/")
    return (
        name.isprintable()
        and "\\" not in name
        and len(os.fsencode(name)) <= 512
        and not any(part in ("", ".", "..") for part in parts)
    )


def is_immutable(name: str) -> bool:
    """Whether a file lies in a folder that is named by a hash of its content."""
    return _HASHED.fullmatch(name) is not None


def tree_sha256(files: Iterable[tuple[str, str]]) -> str:
    """One hash of a whole tree, from the names and SHA-256 of its files."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
