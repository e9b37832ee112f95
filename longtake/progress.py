"""How far a job is: what its workflow knows, merged with what its running chunks say.

The workflow counts finished chunks only. Running chunks tell theirs by heartbeats, which cost no
history. Heartbeats may be late, lost or started anew after a kill: a fraction shown never falls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longtake.contracts.result import Progress

NEARLY_DONE = 0.99
"""The most that is shown before the outputs are published."""

_ENOUGH = 0.02  # of a chunk, before its frames so far tell how many it has
_CALM = 0.7  # weight of the last estimate of the time left against a new one


@dataclass(frozen=True)
class Beat:
    """What a running chunk said last."""

    fraction: float
    fps: float | None
    speed: float | None
    frames: float

    @classmethod
    def read(cls, details: Mapping[str, object]) -> Beat:
        """Heartbeat details, without what is no sensible number."""
        return cls(
            fraction=min(1.0, _number(details.get("fraction")) or 0.0),
            fps=_number(details.get("fps")),
            speed=_number(details.get("speed")),
            frames=_number(details.get("frames")) or 0.0,
        )


def merge(counted: Progress, details: Sequence[Mapping[str, object]]) -> Progress:
    """Progress by finished chunks, and the heartbeat details of the chunks that run."""
    beats = [Beat.read(one) for one in details]
    left = max(counted.chunks_total - counted.chunks_done, 0)
    under_way = min(sum(beat.fraction for beat in beats), left)
    share = (1 - counted.fraction) / left if left else 0.0
    fps = _sum([beat.fps for beat in beats])
    eta_s = _seconds_left(beats, left - under_way, fps)
    return counted.model_copy(
        update={
            "fraction": min(1.0, counted.fraction + under_way * share),
            "fps": fps,
            "speed": _sum([beat.speed for beat in beats]),
            "eta_s": counted.eta_s if eta_s is None else eta_s,
        }
    )


class Meter:
    """Shows one job's progress over time: never falling, and calm."""

    def __init__(self) -> None:
        self._fraction = 0.0
        self._eta_s: float | None = None

    def read(self, progress: Progress) -> Progress:
        """The progress to show after all that was shown before."""
        if progress.state == "succeeded":
            whole = {"fraction": 1.0, "eta_s": None, "chunks_done": progress.chunks_total}
            return progress.model_copy(update=whole)
        self._fraction = max(self._fraction, min(progress.fraction, NEARLY_DONE))
        left_s = progress.eta_s if progress.state == "running" else None
        self._eta_s = _calmed(self._eta_s, left_s)
        return progress.model_copy(update={"fraction": self._fraction, "eta_s": self._eta_s})


def _calmed(before: float | None, now: float | None) -> float | None:
    if before is None or now is None:
        return now
    return _CALM * before + (1 - _CALM) * now


def _seconds_left(beats: Sequence[Beat], chunks_left: float, fps: float | None) -> float | None:
    lengths = [beat.frames / beat.fraction for beat in beats if beat.fraction > _ENOUGH]
    if not lengths or not fps:
        return None
    return _finite(chunks_left * sum(lengths) / len(lengths) / fps)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _finite(sum(known)) if known else None


def _finite(value: float) -> float | None:
    """None where numbers that a worker told add up to more than a number holds."""
    return value if math.isfinite(value) else None


def _number(value: object) -> float | None:
    """A finite number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
