"""What a run of the bench is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OUT = Path(__file__).parent / "out"
"""Reports, and footage that is made once. Not in git."""


@dataclass(frozen=True)
class Options:
    """How much to measure, and where the report goes."""

    out: Path = OUT
    quick: bool = False
    """A smoke run: short clips, the fastest encoder, two rounds. Its figures prove nothing."""
    rounds: int | None = None
    seconds: int | None = None
    """Length of the long film, or of a burst's clips."""
    jobs: int | None = None
    """How many jobs at once, where many are measured."""

    items: int | None = None
    """Of a batch."""

    def rounds_of(self, usual: int) -> int:
        """How often to measure what is usually measured `usual` times."""
        return self.rounds or (2 if self.quick else usual)

    def film_s(self, quick_s: int) -> int:
        """Length of the film for measurements that encode a long one."""
        return self.seconds or (quick_s if self.quick else 60)
