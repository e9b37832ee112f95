"""The stage that sets a sound's level: evening out if asked, one gain, a true-peak limiter.

Filters of FFmpeg, for a file as for a mix. The limiter looks ahead and works at 192 kHz, where
peaks between samples are samples; coming back to the sound's rate may raise them by a little,
and so does a lossy encoder: `media.sound.level` measures what came out and corrects.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.sound.loudness import OVERSAMPLED_HZ

ATTACK_MS, RELEASE_MS = 5, 50
EVENING = "dynaudnorm=framelen=200:gausssize=15:peak=0.95:maxgain=10:altboundary=1"
"""Quiet passages come up by 20 dB at most, over a window of 3 s: a turn of speech, for what is
quiet beside something loud in one window stays down. Both ends keep the gain that they need, where
the filter would begin and end with none. Not `loudnorm`: it puts out 192 kHz, and its gain cannot
be corrected from what an encoder made of it."""


@dataclass(frozen=True)
class LevelStage:
    """What is done to a sound's level."""

    gain_db: float
    ceiling_dbtp: float | None = None
    """Of the limiter; None: there is none, and samples keep their ratios."""
    evened: bool = False

    @property
    def changes(self) -> bool:
        """Whether samples come out otherwise than they go in."""
        return self != LevelStage(0.0)

    def filters(self, rate_hz: int) -> tuple[str, ...]:
        """The filters, for a sound of `rate_hz`; they keep its length to the sample."""
        limiter = self._limiter()
        if limiter:
            oversampled = f"aresample={max(OVERSAMPLED_HZ, rate_hz)}"
            limiter = (oversampled, *limiter, f"aresample={rate_hz}")
        return (*self._gain(), *limiter)

    def sketch(self) -> tuple[str, ...]:
        """The same with the limiter at the sound's own rate, in half the time. What comes out is as
        loud within 0.02 LU (measured on speech); its peaks are higher."""
        return (*self._gain(), *self._limiter())

    def _gain(self) -> tuple[str, ...]:
        evening = (EVENING,) if self.evened else ()
        gain = f"volume={self.gain_db:.4f}dB:precision=double"
        return ("aformat=sample_fmts=dblp", *evening, gain)

    def _limiter(self) -> tuple[str, ...]:
        if self.ceiling_dbtp is None:
            return ()
        limit = 10 ** (self.ceiling_dbtp / 20)
        # latency: the look-ahead is taken back. level: no gain of its own.
        times = f"attack={ATTACK_MS}:release={RELEASE_MS}"
        return (f"alimiter=limit={limit:.6f}:level=0:{times}:latency=1",)
