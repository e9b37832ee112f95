"""Where somebody speaks in a sound, and the windows that it is transcribed in.

Positions are samples of the prepared sound, 16,000 a second: whole numbers, so that neighbours
meet exactly.
"""

from __future__ import annotations

from pydantic import model_validator

from longtake.contracts.base import Report

RATE_HZ = 16_000
"""What the models hear: samples a second."""


class Span(Report):
    """Samples from `first` up to, not including, `end`."""

    first: int
    end: int

    @model_validator(mode="after")
    def _holds_something(self) -> Span:
        if not 0 <= self.first < self.end:
            raise ValueError(f"from sample {self.first} to {self.end} lies nothing")
        return self

    @property
    def samples(self) -> int:
        """How many they are."""
        return self.end - self.first


class Window(Report):
    """A stretch of one channel that is transcribed on its own.

    The windows of a channel tile it. Their borders lie in silence.
    """

    channel: int
    first: int
    end: int
    spans: tuple[Span, ...]
    """Where somebody speaks in it."""

    @property
    def start_s(self) -> float:
        """Where it begins, in seconds."""
        return self.first / RATE_HZ

    @property
    def end_s(self) -> float:
        """Where it ends, in seconds."""
        return self.end / RATE_HZ

    @property
    def speech_s(self) -> float:
        """For how long somebody speaks in it, in seconds."""
        return sum(span.samples for span in self.spans) / RATE_HZ
