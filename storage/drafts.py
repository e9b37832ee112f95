"""Files in the making, on this host's own disk; what is not published is removed."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from storage.local import storage_errors

_HOST = platform.node().replace(".", "-") or "host"


class Drafts:
    """Private files of the processes of this host, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def begin(self, key: str) -> Iterator[Path]:
        """A private file to write to; what is not published by the end is removed."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{_HOST}.{os.getpid()}.{key[:40]}.{secrets.token_hex(6)}"
        try:
            yield draft
        finally:
            _remove(draft)

    def drop_dead(self) -> int:
        """Remove drafts of processes of this host that are no more; returns how many."""
        dropped = 0
        for draft in self.folder.glob(f"{_HOST}.*"):
            pid = draft.name.split(".")[1]
            if pid.isdigit() and not _is_alive(int(pid)):
                _remove(draft)
                dropped += 1
        return dropped


def _remove(draft: Path) -> None:
    """Remove a draft; of some steps it is a folder, in which they work."""
    if draft.is_dir() and not draft.is_symlink():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        draft.unlink(missing_ok=True)


def sweep_files(folders: list[Path], older_than_s: float) -> tuple[int, int]:
    """Remove files that were not used for so long. Returns how many, and bytes freed."""
    horizon, removed, freed = time.time() - older_than_s, 0, 0
    for path in (found for folder in folders for found in folder.rglob("*")):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if path.is_file() and max(found.st_atime, found.st_mtime) < horizon:
                path.unlink()
                removed, freed = removed + 1, freed + found.st_size
    return removed, freed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
