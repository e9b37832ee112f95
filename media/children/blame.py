"""What a child that failed says of the machine (no room, no memory, no place to write), and of a
codec that is not decoded."""

from __future__ import annotations

import re
from pathlib import Path

from longtake.errors import InputUnsupported, ResourceExhausted, StorageUnavailable

_NO_MEMORY = re.compile(
    r"cannot allocate memory|memory allocation error|malloc of size \d+ failed"
    r"|failed to map segment|pthread_create\(\) failed|thread creation failed"
    r"|frame_thread_encoder_init failed",
    re.IGNORECASE,
)
"""Words of the loader, FFmpeg, x264, libvpx. A thread fails for want of a place for its stack."""


_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|running out of disk space")
"""Words of FFmpeg, and of Shaka Packager."""


_NO_DECODER = re.compile(
    r"^\[(?P<kind>[va])ist#.*\[dec:(?P<codec>\w+) @ .*Error while opening decoder", re.MULTILINE
)
"""Words of FFmpeg, of a stream that is needed."""
NOT_ALLOWED = "not on whitelist"
"""And of one that may not be decoded, needed or not."""


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


def blame_the_codec(stderr: str) -> None:
    """Raise what is no damage of the input, but a codec that is not on our list."""
    found = _NO_DECODER.search(stderr)
    if found is None or f"Codec ({found['codec']}) {NOT_ALLOWED}" not in stderr:
        return
    what, option = ("picture", "video") if found["kind"] == "v" else ("sound", "audio")
    raise InputUnsupported(
        f"the {what} is {found['codec']}, which Longtake does not decode; a transcode into .mkv "
        f"with `--{option} copy` keeps it as it is"
    )
