"""What `longtake probe` tells: the facts of a file, and what an expert would say of them."""

from __future__ import annotations

from typing import Literal

from longtake.contracts.base import Report
from longtake.contracts.media import MediaFacts


class Finding(Report):
    """One thing that is worth knowing before a file is used."""

    code: str
    """What it is, for programs: such as `variable-frame-rate`."""
    severity: Literal["warning", "note"]
    """A warning can make trouble; a note explains."""
    stream: int | None = None
    """Index of the stream it is about; None for the file."""
    message: str
    """What it is, and what follows from it."""


class Loudest(Report):
    """The greatest samples of a sound stream, decoded."""

    stream: int
    peak_dbfs: float
    """Sample peak; above 0 only in codecs that store more than full scale."""
    flat: bool
    """Whether neighbouring samples stay at the peak, as clipping leaves them."""


class Probe(MediaFacts):
    """Facts of a file, its loudest samples, and findings; the gravest first."""

    loudest: tuple[Loudest, ...] = ()
    findings: tuple[Finding, ...] = ()
