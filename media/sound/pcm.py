"""Sound between steps: 32-bit float samples without a header, so that a file's length is exact.

Floats keep what passes full scale until the last stage brings it down, and a file of any length
needs no other header than a short one.
"""

from __future__ import annotations

import contextlib
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAMPLE_BYTES = 4
MUXER, ENCODER = "f32le", "pcm_f32le"

Samples = array  # of float, channels in turn


@dataclass(frozen=True)
class Pcm:
    """A file of samples. A sample here is one of every channel."""

    path: Path
    rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES * self.channels

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.path.stat().st_size // self.frame_bytes

    def read(self, first: int, count: int) -> Samples[float]:
        """Samples from `first` on, channels in turn; fewer where the file begins or ends."""
        begin = max(0, first)
        with self.path.open("rb") as file:
            file.seek(begin * self.frame_bytes)
            return floats(file.read(max(0, first + count - begin) * self.frame_bytes))


@contextlib.contextmanager
def removed(*paths: Path) -> Iterator[None]:
    """Files in the making beside a draft: gone at the end."""
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def floats(data: bytes | bytearray) -> Samples[float]:
    """Little-endian bytes as samples."""
    samples: Samples[float] = array("f", bytes(data))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def as_bytes(samples: Samples[float]) -> bytes:
    """Samples as little-endian bytes."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
