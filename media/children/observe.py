"""What the engine's children cost, told to whoever wants to know: traces, metrics.

The engine knows neither. An observer is called where the child was awaited, so it sees the
context of the step that started it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ChildEnded:
    """A child process that is over, whatever way it ended."""

    program: str
    began_at: float
    """Seconds since the epoch."""
    wall_s: float
    cpu_s: float
    code: int
    """Exit code; minus the number of the signal that ended it."""
    frames: int = 0
    peak_memory_bytes: int = 0


Observer = Callable[[ChildEnded], None]

_observers: list[Observer] = []


def observe(observer: Observer) -> None:
    """Tell `observer` of every child of this process that ends from now on."""
    _observers.append(observer)


def tell(child: ChildEnded) -> None:
    """Tell all observers."""
    for observer in _observers:
        observer(child)
