"""Where each part of a programme lies, in whole samples. Pure: lengths and joins in, places out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from longtake.contracts.stitch import Curve, Join


@dataclass(frozen=True)
class Placed:
    """A part of the line. Lengths in samples."""

    first: int
    """Its first sample, on the programme's clock."""
    samples: int
    gap: int = 0
    """Silence before it."""
    overlap: int = 0
    """With the part before it."""
    shortened: bool = False
    """Whether the overlap is less than was asked."""
    curve_out: Curve = "qsin"
    curve_in: Curve = "qsin"

    @property
    def end(self) -> int:
        """Behind its last sample."""
        return self.first + self.samples


@dataclass(frozen=True)
class Mark:
    """A chapter, in samples."""

    first: int
    end: int
    title: str


@dataclass(frozen=True)
class Timeline:
    """The line of parts."""

    placed: tuple[Placed, ...]

    @property
    def samples(self) -> int:
        """The whole: the parts and gaps less the overlaps."""
        return self.placed[-1].end

    def chapters(self, titles: Sequence[str | None]) -> tuple[Mark, ...]:
        """A chapter for each part with a title, up to the next one."""
        marks: list[Mark] = []
        for placed, title in zip(self.placed, titles, strict=True):
            if title:
                marks = [*marks[:-1], *(replace(mark, end=placed.first) for mark in marks[-1:])]
                marks.append(Mark(placed.first, self.samples, title))
        return tuple(marks)


def place(lengths: Sequence[int], joins: Sequence[Join], rate_hz: int) -> Timeline:
    """Put parts of these lengths behind each other; `joins` says how each follows the one before
    (of the first it says nothing).

    An overlap takes half of the shorter part at most, so that no part is in two at once.
    """
    placed: list[Placed] = []
    at = 0
    for number, (samples, join) in enumerate(zip(lengths, joins, strict=True)):
        if number == 0:
            placed.append(Placed(0, samples))
        else:
            asked = round(join.crossfade_s * rate_hz)
            overlap = min(asked, lengths[number - 1] // 2, samples // 2)
            gap = round(join.gap_s * rate_hz)
            placed.append(
                Placed(
                    first=at + gap - overlap,
                    samples=samples,
                    gap=gap,
                    overlap=overlap,
                    shortened=overlap < asked,
                    curve_out=join.curve_out,
                    curve_in=join.curve_in,
                )
            )
        at = placed[-1].end
    return Timeline(tuple(placed))


@dataclass(frozen=True)
class Bed:
    """A stretch of the programme that a music bed lies under, in samples."""

    part: int
    first: int
    end: int


def beds(line: Sequence[int], under: dict[int, int | None], timeline: Timeline) -> tuple[Bed, ...]:
    """Where music beds lie. `line`: the numbers of the parts that are placed; `under`: of each
    bed's number, how many parts it lies under (None: all behind it)."""
    found = []
    for number, count in under.items():
        behind = [at for at, part in enumerate(line) if part > number]
        last = behind[-1] if count is None else behind[min(count, len(behind)) - 1]
        found.append(Bed(number, timeline.placed[behind[0]].first, timeline.placed[last].end))
    return tuple(found)
