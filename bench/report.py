"""What a measurement found: raw figures, what they come to, and whether that is the target."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Series:
    """The same thing measured several times."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        """Raw figures and what the table shows of them."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True)
class Row:
    """A line of the table. A row without a target is there for the reader."""

    what: str
    series: tuple[Series, ...]
    value: float
    unit: str
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most

    def as_json(self) -> dict[str, Any]:
        """Everything the row knows."""
        return {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "at_most": self.at_most,
            "met": self.met,
            "series": [series.as_json() for series in self.series],
        }


@dataclass
class Measurement:
    """One measurement: its rows, and what a reader must know to judge them."""

    name: str
    title: str
    how: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """Details under a heading: where time went, what a child took."""
    took_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything the measurement knows."""
        return {
            "name": self.name,
            "title": self.title,
            "how": self.how,
            "rows": [row.as_json() for row in self.rows],
            "notes": self.notes,
            "tables": self.tables,
            "took_s": round(self.took_s, 1),
        }


def series(name: str, unit: str, values: Sequence[float]) -> Series:
    """A series of any numbers."""
    return Series(name, unit, tuple(values))


def ratio(what: str, ours: Series, theirs: Series, at_most: float | None = None) -> Row:
    """Median to median: how many times theirs is ours?"""
    return Row(what, (theirs, ours), ours.median / theirs.median, "×", at_most)


def difference(what: str, ours: Series, theirs: Series, at_most: float | None = None) -> Row:
    """Median less median, in their unit: how much more is ours?"""
    return Row(what, (theirs, ours), ours.median - theirs.median, ours.unit, at_most)


def distance(what: str, ours: Series, theirs: Series, at_most: float | None = None) -> Row:
    """How far apart are the medians, whichever is the greater?"""
    return Row(what, (theirs, ours), abs(ours.median - theirs.median), ours.unit, at_most)


def alone(what: str, ours: Series, at_most: float | None = None) -> Row:
    """The median itself."""
    return Row(what, (ours,), ours.median, ours.unit, at_most)
