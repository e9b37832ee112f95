"""A folder of outputs on this host's file systems."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from longtake.content_type import Served
from longtake.errors import OutputConflict
from storage.local import LocalStorage, is_same, storage_errors, sync
from storage.tree import Member


class LocalFolder:
    """Files appear by a link, each whole; until then they lie hidden in the folder itself."""

    def __init__(self, storage: LocalStorage, path: Path) -> None:
        self._storage = storage
        self._path = path

    @property
    def identity(self) -> str:
        """The path without links."""
        return str(self._path.resolve())

    def at(self, name: str) -> str:
        """The path of a file in it."""
        return str(self._path / name)

    def is_there(self) -> bool:
        """Whether it exists."""
        return self._path.is_dir()

    def make(self) -> None:
        """Make it, if it is not there. Raises OutputConflict."""
        self._storage.make_folder(str(self._path))

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of those of these files that are there."""
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[name] = (self._path / name).stat().st_size
        return found

    def read(self, name: str) -> bytes | None:
        """The bytes of a small file; None if it is not there."""
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def put(
        self,
        member: Member,
        job_id: str,
        served: Served,
        *,
        overwrite: bool,
        check: Callable[[], None],
    ) -> None:
        """Write the file beside its place and link it there, unless the same bytes are there."""
        sha256 = member.sha256()
        if is_same(self._path / member.name, member.size, sha256):
            return
        check()
        with self._staged(job_id) as staged:
            member.copy_to(staged)
            self._show(staged, member.name, sha256, overwrite, check)

    def restore(self, name: str, data: bytes, job_id: str, served: Served) -> None:
        """Put back what lay under a name."""
        with self._staged(job_id) as staged:
            staged.write_bytes(data)
            self._show(staged, name, hashlib.sha256(data).hexdigest(), True, lambda: None)

    def used(self, names: Iterable[str]) -> None:
        """Note when they were used beside when they were written, which tells their version."""
        for path in (self._path / name for name in names):
            with contextlib.suppress(OSError):
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def remove(self, names: Iterable[str]) -> None:
        """Remove these files, and the folders in it that are empty then."""
        folders = set()
        for path in (self._path / name for name in names):
            if self._holds(path.parent):
                with storage_errors(path):
                    path.unlink(missing_ok=True)
                folders |= {path.parent, *path.parent.parents} - set(self._path.parents)
        for folder in sorted(folders - {self._path}, key=lambda folder: -len(folder.parts)):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def discard(self, sizes: Mapping[str, int], job_id: str) -> None:
        """Remove what killed attempts of a job left hidden in it."""
        for left in self._path.glob(f"{_hidden(job_id)}*.part"):
            left.unlink(missing_ok=True)

    def remove_if_empty(self) -> None:
        """Remove the folder itself, if nothing lies in it."""
        with contextlib.suppress(OSError):
            self._path.rmdir()

    @contextlib.contextmanager
    def _staged(self, job_id: str) -> Iterator[Path]:
        staged = self._path / f"{_hidden(job_id)}{secrets.token_hex(8)}.part"
        try:
            with storage_errors(staged):
                yield staged
        finally:
            staged.unlink(missing_ok=True)

    def _show(
        self, staged: Path, name: str, sha256: str, overwrite: bool, check: Callable[[], None]
    ) -> None:
        path = self._path / name
        self._make_parents(path.parent)
        self._storage.publish(staged, str(path), sha256, overwrite=overwrite, check=check)

    def _make_parents(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_parents(folder.parent)
            folder.mkdir(exist_ok=True)
            sync(folder.parent)
        if not self._holds(folder):
            raise OutputConflict(f"{folder} is a link that leads out of {self._path}; remove it")

    def _holds(self, folder: Path) -> bool:
        """Whether a folder in it is not, by a link, elsewhere."""
        return folder.resolve().is_relative_to(self._path.resolve())


def _hidden(job_id: str) -> str:
    return f".longtake-{hashlib.sha256(f'tree {job_id}'.encode()).hexdigest()[:16]}-"
