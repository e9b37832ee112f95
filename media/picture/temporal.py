"""Filters that look at neighbouring frames: deinterlacing and noise reduction.

Only filters of finite reach are used, and each chunk gives them that many frames before and
after its own: so a film in chunks has the same pixels as in one piece. (hqdn3d remembers for
ever; fftdnoiz depends on the CPU.)
"""

from __future__ import annotations

from fractions import Fraction

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts

BWDIF_REACH = 2
_DENOISE = {
    # How far a pixel may differ from its neighbours in time, alone and summed up, to be noise;
    # and over how many frames.
    "light": ("0.03", "0.08", 5),
    "medium": ("0.06", "0.2", 7),
    "strong": ("0.12", "0.6", 9),
}


# 4:2:2 is resampled on its way to its side, as FFmpeg's own turning does it.
_TURNS: dict[int, tuple[str, ...]] = {
    0: (),
    90: ("transpose=clock",),
    180: ("hflip", "vflip"),
    270: ("transpose=cclock",),
}
"""By degrees clockwise."""


def deinterlaces(facts: VideoFacts, settings: VideoSettings) -> bool:
    """Whether an interlaced picture becomes progressive."""
    return facts.interlaced and settings.deinterlace == "auto"


def turns_late(facts: VideoFacts, settings: VideoSettings) -> bool:
    """Whether the picture is turned by these filters, and not as it is read: turned first, the
    lines of two moments would be columns, or change places."""
    return deinterlaces(facts, settings) and facts.rotation != 0


def temporal_filters(
    facts: VideoFacts, settings: VideoSettings, time_base: Fraction
) -> tuple[tuple[str, ...], int]:
    """The filters, and how many frames they need on each side of a frame."""
    steps: list[str] = []
    reach = 0
    if deinterlaces(facts, settings):
        # One frame a frame: count and times stay. bwdif halves the time base; settb undoes it.
        steps += ["bwdif=mode=send_frame:parity=auto:deint=interlaced", f"settb={time_base}"]
        reach += BWDIF_REACH
        steps += _TURNS[facts.rotation]
    if settings.denoise:
        alone, summed, frames = _DENOISE[settings.denoise]
        planes = ":".join(f"{n}a={alone}:{n}b={summed}" for n in range(3))
        steps.append(f"atadenoise={planes}:s={frames}")
        reach += frames // 2
    return tuple(steps), reach
