"""Loudness: what is measured of a sound, and what a job aims at.

Terms and units of ITU-R BS.1770-5, EBU R 128, EBU Tech 3341 and 3342.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtake.contracts.base import Contract

Target = Literal["ebu-r128", "atsc-a85", "podcast", "streaming"]
LevelMode = Literal["linear", "limit", "dynamic"]


class Loudness(Contract):
    """A sound as it was measured. None: silence, or shorter than the window of the measure."""

    integrated_lufs: float | None
    """Gated loudness of the whole."""
    range_lu: float | None = None
    """Loudness range, LRA."""
    momentary_max_lufs: float | None = None
    """The loudest 0.4 s."""
    short_term_max_lufs: float | None = None
    """The loudest 3 s."""
    true_peak_dbtp: float | None = None
    sample_peak_dbfs: float | None = None


class Aim(Contract):
    """Where a sound shall land, and by which means."""

    integrated_lufs: float = Field(ge=-50, le=-5)
    true_peak_dbtp: float = Field(ge=-9, le=0)
    mode: LevelMode = "limit"


class Levelled(Contract):
    """What was done to a track, and how it measures before and after, as it is encoded."""

    track: int
    """Its number in the output; the first is 1."""
    aim: Aim
    gain_db: float
    """Of all samples, before the limiter if there is one."""
    limiter_dbtp: float | None = None
    """The limiter's ceiling; None where nothing was limited."""
    rounds: int
    """How often the track was encoded and measured."""
    before: Loudness
    after: Loudness


class AlbumLoudness(Contract):
    """Several files as one sound: the windows of all are gated together."""

    gain_db: float
    """Of every sample of every file, before limiters; with `mode: tags`, what the tags say."""
    before: Loudness
    after: Loudness
    """As they are encoded."""


class Tagged(Contract):
    """What players are told of a file's loudness; its sound is as it was."""

    tags: dict[str, str]
    loudness: Loudness


AIMS: dict[Target, Aim] = {
    "ebu-r128": Aim(integrated_lufs=-23, true_peak_dbtp=-1),
    "atsc-a85": Aim(integrated_lufs=-24, true_peak_dbtp=-2),
    "podcast": Aim(integrated_lufs=-16, true_peak_dbtp=-1),
    "streaming": Aim(integrated_lufs=-14, true_peak_dbtp=-1),
}
"""EBU R 128 (2023), ATSC A/85:2013, AES TD1008 and Apple's wish for podcasts, and what the large
music services play at."""

PODCAST_MONO_LUFS = -19.0
"""One loudspeaker fewer is 3 LU less for the same samples: a mono podcast sounds as loud as a
stereo one when it is played on two."""


def aim_at(target: Target, channels: int) -> Aim:
    """What `target` means for a sound of so many channels."""
    aim = AIMS[target]
    if target == "podcast" and channels == 1:
        return aim.model_copy(update={"integrated_lufs": PODCAST_MONO_LUFS})
    return aim
