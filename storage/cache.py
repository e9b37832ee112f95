"""The host's cache: what all processes of this host need to know only once.

For local files, which are read in place, that is their SHA-256, kept under a version that
changes with the file (device, inode, size and modification time).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

MOST = 10_000
"""Entries kept; beyond, the least recently used go first."""


class FingerprintCache:
    """One small file an entry, written whole, so that processes need no lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "fingerprints"

    def get(self, version: str) -> str | None:
        """The SHA-256 noted for a version, or None."""
        path = self._path(version)
        try:
            sha256 = path.read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return sha256 if len(sha256) == 64 else None

    def put(self, version: str, sha256: str) -> None:
        """Note the SHA-256 of a version. Losing an entry costs time only, so errors pass."""
        path = self._path(version)
        temporary = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(sha256, "ascii")
            temporary.replace(path)
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        entries = list(self._folder.iterdir())
        if len(entries) > MOST:
            entries.sort(key=lambda entry: entry.stat().st_mtime)
            for entry in entries[: len(entries) - MOST * 9 // 10]:
                entry.unlink(missing_ok=True)

    def _path(self, version: str) -> Path:
        return self._folder / hashlib.sha256(version.encode()).hexdigest()[:32]
