"""Local files: paths, fingerprints, and publishing without ever showing half a file."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from longtake.contracts.steps.common import Source
from longtake.errors import (
    InputCorrupt,
    InputForbidden,
    InputNotFound,
    InputUnsupported,
    InvalidJob,
    OutputConflict,
    ResourceExhausted,
    StorageUnavailable,
)
from longtake.paths import local_path
from storage.cache import FingerprintCache
from storage.folder import Folder
from storage.remote import too_large

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_SUCH_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def path_of(uri: str) -> Path:
    """The path that a plain path or `file:` URI names. Raises InvalidJob for other schemes."""
    path = local_path(uri)
    if path is None:
        raise InvalidJob(f"{uri} is not a local path")
    return path


class LocalStorage:
    """Sources and outputs on this host's file systems, read and written in place."""

    def __init__(self, cache: FingerprintCache) -> None:
        self._cache = cache

    async def fingerprint(self, uri: str) -> Source:
        """Pin a source: size, SHA-256, and its version (size and modification time).

        The hash is kept in the host's cache under the version, so it is computed once.
        Raises InputNotFound, InputForbidden, InputUnsupported.
        """
        path = path_of(uri)
        version, size = self._stat(path)
        known_as = f"{path} {path.stat().st_ino} {version}"  # of this host, for its cache only
        sha256 = self._cache.get(known_as)
        if sha256 is None:
            try:
                sha256 = await asyncio.to_thread(sha256_of, path)
            except PermissionError as error:
                raise _forbidden(path) from error
            self._cache.put(known_as, sha256)
        return Source(uri=uri, bytes=size, sha256=sha256, version=version)

    async def is_unchanged(self, uri: str, version: str) -> bool:
        """Compare size and time of change. Raises InputNotFound, InputForbidden."""
        return self._stat(path_of(uri))[0] == version

    async def holds(self, uri: str, sha256: str, size: int) -> bool:
        """Compare the size alone: a long film is not read for this."""
        try:
            return path_of(uri).stat().st_size == size
        except FileNotFoundError:
            return False
        except OSError:
            return True

    async def localize(self, source: Source) -> Path:
        """A path to read the source's bytes from; local files are read where they lie.

        Raises InputCorrupt if the file is no longer the one that was pinned.
        """
        path = path_of(source.uri)
        version, _ = self._stat(path)
        if version != source.version:
            raise InputCorrupt(
                f"{path} changed while the job ran; start the job again for the new file"
            )
        return path

    async def borrow(self, source: Source) -> Path:
        """The same: local files are read where they lie."""
        return await self.localize(source)

    async def read_small(self, uri: str, most_bytes: int) -> bytes:
        """The file's bytes. Raises InputNotFound, InputForbidden, InputUnsupported,
        InputTooLarge."""
        path = path_of(uri)
        _, size = self._stat(path)
        if size > most_bytes:
            raise too_large(str(path), most_bytes)
        return await asyncio.to_thread(path.read_bytes)

    def _stat(self, path: Path) -> tuple[str, int]:
        try:
            found = path.stat()
        except FileNotFoundError as error:
            raise InputNotFound(f"there is no file {path}; check the path") from error
        except PermissionError as error:
            raise _forbidden(path) from error
        except OSError as error:
            raise StorageUnavailable(f"{path} cannot be reached: {error.strerror}") from error
        if not path.is_file():
            raise InputUnsupported(f"{path} is not a file; name a media file")
        if not os.access(path, os.R_OK):
            raise _forbidden(path)
        # Not device and inode: on a network mount each host has its own.
        return f"{found.st_size:x}-{found.st_mtime_ns:x}", found.st_size

    def check_output(self, uri: str, source: str, *, overwrite: bool) -> None:
        """Fail early if the output cannot be published.

        Raises OutputConflict with words, InvalidJob if the output is the source itself.
        """
        path = path_of(uri)
        if path.exists() and path_of(source).exists() and path.samefile(path_of(source)):
            raise InvalidJob(f"{path} is the source itself, by another name; write to another file")
        _must_be_writable(path)
        if path.exists() and not overwrite:
            raise OutputConflict(f"{path} exists already; use --overwrite, or another name")

    def check_folder(self, uri: str, source: str, names: Sequence[str], *, overwrite: bool) -> None:
        """Fail early if these files cannot be published in a folder, which need not be there.

        Raises OutputConflict with words, InvalidJob if one of them is the source itself.
        """
        path = path_of(uri)
        if path.is_dir():
            for name in names:
                self.check_output(str(path / name), source, overwrite=overwrite)
        elif path.exists():
            raise OutputConflict(f"{path} is a file; name a folder")
        else:
            _must_take_files(path.parent)

    def make_folder(self, uri: str) -> None:
        """Make a folder for outputs, if there is none. Raises OutputConflict."""
        path = path_of(uri)
        with storage_errors(path):
            if path.is_file():
                raise OutputConflict(f"{path} is a file, and a folder is wanted there")
            path.mkdir(exist_ok=True)

    def folder(self, uri: str) -> Folder:
        """A folder of outputs, which need not be there."""
        from storage.local_folder import LocalFolder  # which needs this module

        return LocalFolder(self, path_of(uri))

    @contextlib.contextmanager
    def staging(self, uri: str, job_id: str) -> Iterator[Path]:
        """A private name beside the output, on its file system; gone again at the end.

        Raises OutputConflict: since the job began its folder may have gone.
        """
        path = path_of(uri)
        _must_be_writable(path)
        self.discard_staged(uri, job_id)
        staged = path.with_name(f"{_staged_prefix(path, job_id)}{secrets.token_hex(4)}.part")
        try:
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    def discard_staged(self, uri: str, job_id: str) -> None:
        """Remove what killed attempts of a job left beside its output."""
        path = path_of(uri)
        for left in path.parent.glob(f"{_staged_prefix(path, job_id)}*.part"):
            left.unlink(missing_ok=True)

    async def upload(self, staged: Path, uri: str, sha256: str, job_id: str) -> None:
        """Nothing: the staged file lies beside its place."""

    def publish(
        self, staged: Path, uri: str, sha256: str, *, overwrite: bool, check: Callable[[], None]
    ) -> None:
        """Make the staged file visible under its name, whole and at once.

        A file that is there already with the same bytes is left untouched. Another one is
        replaced only with `overwrite`, if `check` does not raise; else OutputConflict.
        """
        path = path_of(uri)
        with storage_errors(path):
            sync(staged)
            staged.chmod(0o666 & ~_UMASK)
            if not link(staged, path):
                self._replace(staged, path, sha256, overwrite, check)
            sync(path.parent)

    @staticmethod
    def _replace(
        staged: Path, path: Path, sha256: str, overwrite: bool, check: Callable[[], None]
    ) -> None:
        if is_same(path, staged.stat().st_size, sha256):
            return
        if not overwrite:
            raise OutputConflict(
                f"{path} is there already, with other bytes; use --overwrite, or another name"
            )
        check()
        staged.replace(path)


def _must_be_writable(path: Path) -> None:
    if path.is_dir():
        raise OutputConflict(f"{path} is a folder; name a file in it")
    _must_take_files(path.parent)


def _must_take_files(folder: Path) -> None:
    """Permissions alone do not tell: root has all, and /proc takes no file."""
    if not folder.is_dir():
        raise OutputConflict(f"there is no folder {folder}; make it first")
    try:
        # Without a name, where the system can: who is killed meanwhile leaves nothing.
        tempfile.TemporaryFile(prefix=".longtake-", dir=folder).close()
    except OSError as error:
        raise OutputConflict(
            f"{folder} may not be written ({error.strerror}); check its permissions, or write "
            "somewhere else"
        ) from error


def _staged_prefix(path: Path, job_id: str) -> str:
    token = hashlib.sha256(f"{path.name} {job_id}".encode()).hexdigest()[:16]
    return f".longtake-{token}-"


def link(draft: Path, path: Path) -> bool:
    """Give `draft` its public name, unless the name is taken: unlike rename, never replace.

    Returns whether `path` is now the draft.
    """
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # FAT and some network file systems have no links; there a narrow race remains.
        if path.exists():
            return False
        draft.rename(path)
    return True


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Translate the system's errors on writing near `path`."""
    try:
        yield
    except PermissionError as error:
        raise OutputConflict(f"{path} may not be written; check its permissions") from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise ResourceExhausted(no_room(path)) from error
        if error.errno in _NO_SUCH_NAME:
            raise OutputConflict(f"{path} cannot be written: {error.strerror}") from error
        raise StorageUnavailable(f"{path} cannot be written: {error.strerror}") from error


def no_room(path: Path) -> str:
    """What to say when the disk under `path` is full."""
    folder = path if path.is_dir() else path.parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    return (
        f"no space left on the disk of {folder} ({free / 1e6:.0f} MB free); "
        "free some, or write somewhere else"
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_same(path: Path, size: int, sha256: str) -> bool:
    """Whether a file is there and has these bytes."""
    try:
        return path.stat().st_size == size and sha256_of(path) == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def _forbidden(path: Path) -> InputForbidden:
    return InputForbidden(f"{path} may not be read; check its permissions")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()  # asked once, at import: asking means setting, which threads would notice
