"""Shaka Player for the tests: fetched from npm once, and kept in pytest's cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.patience import WAIT_S

VERSION = "5.2.12"
_SHA256 = "b22dfdba631104c48a654cb623b08b0f79e2d52c83c0e9b4b7cff54730b55894"
_FILE = "package/dist/shaka-player.compiled.js"


def fetch_shaka(cache: Path) -> Path | None:
    """The player's file, put into `cache` if it is not there; None where npm cannot bring it."""
    kept = cache / f"shaka-player-{VERSION}.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            command = [npm, "pack", f"shaka-player@{VERSION}", "--pack-destination", folder]
            done = subprocess.run(command, capture_output=True, timeout=WAIT_S)
            if done.returncode:
                return None
            (packed,) = Path(folder).glob("*.tgz")
            with tarfile.open(packed) as archive:
                archive.extract(_FILE, folder, filter="data")
            (Path(folder) / _FILE).replace(kept)  # at once: other test processes fetch it, too
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == _SHA256, f"{kept} is not what it was"
    return kept
