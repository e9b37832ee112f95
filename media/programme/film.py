"""The pictures of a programme: each part's brought to one form, and where it is shown.

Every part is planned like a transcode of its own, on one grid of frames. Where two parts are
faded into each other, the frames that they share are a piece that is made of both; the rest of
each part is cut into chunks as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from longtake.contracts.base import Contract, Rational
from media.transcode.plan import Grid, Plan
from media.transcode.timing import span


class Shot(Contract):
    """The picture of a part of the line."""

    number: int
    """Of the part."""
    plan: Plan
    first: int
    """Frame of the programme at which it begins."""
    overlap: int = 0
    """Frames that it shares with the shot before it."""

    @property
    def grid(self) -> Grid:
        """Its frames. Raises ValueError for a plan without."""
        grid = self.plan.picture.grid
        if grid is None:
            raise ValueError("a shot has a frame rate of its own")
        return grid

    @property
    def frames(self) -> int:
        """How many it has."""
        return self.grid.frames

    def span(self, chunk: int) -> tuple[int, int]:
        """Its frames in a chunk: the first, and the one after the last."""
        chunks = self.plan.picture.chunks
        return span(self.grid, chunks, chunks[chunk])


class Piece(Contract):
    """What is encoded at a time: a chunk of a shot, or two shots as one fades into the other."""

    shot: int
    """Its number; where there are two, the first's."""
    chunk: int
    """Number of the shot's chunk; where there are two, the last of it, which meets the first of
    the next shot."""
    fades: bool = False
    first: int
    """Frame of the programme."""
    own: int = 0
    """Frame of the encoded piece, on its own clock, that is shown then."""
    frames: int


class FilmPlan(Contract):
    """The picture of a programme."""

    rate: Rational
    """Frames a second."""
    shots: tuple[Shot, ...]
    encoded: str | None
    """Why the pictures are encoded, in words; None where they are copied."""

    @property
    def frames(self) -> int:
        """Of the whole."""
        return self.shots[-1].first + self.shots[-1].frames

    def decisions(self, names: Sequence[str]) -> dict[str, str]:
        """What is done, for people. `names`: of all parts."""
        tone = "tone-mapped to SDR"
        bright = [
            names[shot.number] for shot in self.shots if shot.plan.decisions.get("hdr") == tone
        ]
        hdr = {"hdr": f"{tone}: {', '.join(bright)}"} if bright and self.encoded else {}
        return {"picture": self.in_words} | hdr

    @property
    def in_words(self) -> str:
        """How the picture is made."""
        if self.encoded is None:
            return "copied: the parts are alike"
        width, height = (self.shots[0].plan.picture.settings.pad or "").split("x")
        rate = f"{float(self.rate):.6g} frames per second"
        return f"encoded, {width}x{height} at {rate}: {self.encoded}"

    def pieces(self) -> tuple[Piece, ...]:
        """What the programme consists of, one behind the other."""
        found: list[Piece] = []
        for at, shot in enumerate(self.shots):
            after = self.shots[at + 1] if at + 1 < len(self.shots) else None
            count = len(shot.plan.picture.chunks)
            fades = after is not None and after.overlap > 0
            for chunk in range(int(shot.overlap > 0), count - int(fades)):
                first, end = shot.span(chunk)
                place = shot.first + first
                found.append(
                    Piece(shot=at, chunk=chunk, first=place, own=first, frames=end - first)
                )
            if after is not None and fades:
                first, _ = shot.span(count - 1)
                frames = shot.frames - first + after.span(0)[1] - after.overlap
                place = shot.first + first
                found.append(
                    Piece(shot=at, chunk=count - 1, fades=True, first=place, frames=frames)
                )
        return tuple(found)
