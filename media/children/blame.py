"""What a child that failed says of the machine: no room, no memory, no place to write."""

from __future__ import annotations

import re
from pathlib import Path

from longtake.errors import ResourceExhausted, StorageUnavailable

_NO_MEMORY = re.compile(
    r"cannot allocate memory|memory allocation error|malloc of size \d+ failed"
    r"|failed to map segment|pthread_create\(\) failed|thread creation failed"
    r"|frame_thread_encoder_init failed",
    re.IGNORECASE,
)
"""Words of the loader, FFmpeg, x264, libvpx. A thread fails for want of a place for its stack."""


_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|running out of disk space")
"""Words of FFmpeg, and of Shaka Packager."""


def _is_silent_refusal(stderr: str) -> bool:
    """Does an encoder not open without a word of its own? x264 lacks memory then; what it thinks
    of its settings it says (`[libx264 @ …]`)."""
    refused = "Error while opening encoder" in stderr and "error in an external library" in stderr
    return refused and not re.search(r"^\[lib\w+ @", stderr, re.MULTILINE)


def blame_the_machine(stderr: str, folder: Path) -> None:
    """Raise what is no fault of the input: it would else be called corrupt."""
    if _NO_ROOM.search(stderr):
        raise ResourceExhausted(
            f"no space left on the disk of {folder}; free some, or write somewhere else"
        )
    if _NO_MEMORY.search(stderr) or _is_silent_refusal(stderr):
        raise ResourceExhausted(f"the memory a child process may take was not enough: {stderr}")
    # An option that FFmpeg does not take ends at the output, too: no disk is to blame for that.
    unopened = "Error opening output" in stderr and "Invalid argument" not in stderr
    unopened = unopened or "Cannot open file for write" in stderr  # Shaka Packager
    if unopened or "Read-only file system" in stderr:
        raise StorageUnavailable(f"{folder} cannot be written: {stderr}")
