"""What an automatic ladder was chosen by, as it is recorded beside the package."""

from __future__ import annotations

from longtake.contracts.base import Report
from longtake.contracts.package import PackageCodec


class Trial(Report):
    """What one size and quality takes, and how near to the source it looks: of a test encode, or
    between two of them."""

    width: int
    height: int
    crf: float
    bps: int
    """bit/s."""
    vmaf: float
    """0 to 100, at the size of the source."""


class ChosenRung(Trial):
    """A rung, and what is expected of it."""

    max_bitrate_bps: int
    """Its cap in bit/s."""


class LadderChoice(Report):
    """One codec's part of the ladder. The largest first, the richest first."""

    codec: PackageCodec
    trials: tuple[Trial, ...]
    """Means over the samples."""
    hull: tuple[Trial, ...]
    """Points that no other size beats at their rate."""
    rungs: tuple[ChosenRung, ...]
    is_fixed: bool = False
    """Whether they begin with the fixed ladder's, as others would hardly take less."""


class LadderRecord(Report):
    """`ladder.json` of a package."""

    model: str
    """The VMAF model that scored."""
    samples_s: tuple[float, ...]
    """When each sample begins, in seconds from the start of the picture."""
    sample_s: float
    """How long each is."""
    choices: tuple[LadderChoice, ...]
