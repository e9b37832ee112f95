"""What `longtake check` tells: the facts of a package of HLS and DASH, and the rules it breaks."""

from __future__ import annotations

from typing import Literal

from longtake.contracts.base import Rational, Report

Severity = Literal["error", "warning"]


class RuleFinding(Report):
    """A rule that a package breaks. What each rule says, and who says it: docs/streaming.md."""

    rule: str
    """Short id of the rule, such as `hls-target-duration`."""
    severity: Severity
    """An error makes some player fail or lie to its user; a warning costs quality or comfort."""
    where: str
    """File of the package, from its root, and what in it is meant."""
    message: str
    """What is there, and what should be."""


class RenditionFacts(Report):
    """One rendition as its files are, whatever the manifests say of it."""

    name: str
    """Its media playlist, or the id of its DASH representation."""
    kind: Literal["video", "audio", "text"]
    codec: str | None = None
    """As in CODECS (RFC 6381), from the init segment; None where there is none."""
    width: int | None = None
    height: int | None = None
    frame_rate: Rational | None = None
    """Mean, in frames a second."""
    channels: int | None = None
    sample_rate: int | None = None
    encryption: str | None = None
    """Scheme of common encryption (`cbcs`), or `aes-128`; None if it is in the clear."""
    segments: int
    bytes: int
    duration_s: float
    peak_bps: int
    """Peak segment bit rate (RFC 8216bis, 4.1)."""
    average_bps: int


class PackageCheck(Report):
    """A package's renditions, and what was found; errors first."""

    package: str
    renditions: tuple[RenditionFacts, ...] = ()
    findings: tuple[RuleFinding, ...] = ()

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)
