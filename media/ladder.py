"""The ladder: which sizes and rates of a picture are worth offering for streaming."""

from __future__ import annotations

from collections.abc import Sequence

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from longtake.contracts.package import PackageCodec, Rung
from media.geometry import geometry

HEIGHTS = (2160, 1440, 1080, 720, 480, 360, 240)
"""Usual sizes: the shorter side in pixels."""
SMALLEST = 360
"""Where the source is larger: players on a bad line get this."""
NEXT = 0.85
"""A rung is at most so high as the one above it: closer ones look alike, and cost as much."""

FULL_HD_BPS: dict[PackageCodec, int] = {"h264": 6_000_000, "hevc": 3_900_000, "av1": 3_300_000}
"""Caps of 1920x1080 at up to 30 frames a second."""
_FULL_HD = 1920 * 1080
_USUAL_RATE = 30
_POWER = 0.75
"""Twice as many pixels need 2^0.75 as many bits at the same quality: Ben Waggoner's "power of .75"
rule, which fits both sizes and frame rates."""
_STEP_BPS = 50_000


def fixed_ladder(facts: VideoFacts, codecs: Sequence[PackageCodec]) -> tuple[Rung, ...]:
    """The usual ladder for a source: its own size first, then usual ones below; never larger.

    One rung for each codec and size, the codecs in their order.
    """
    top = _shorter_side(facts)
    heights = [min(top, HEIGHTS[0])]
    for height in HEIGHTS:
        fits = height <= NEXT * heights[-1] and (height >= SMALLEST or top < HEIGHTS[4])
        heights += [height] if fits else []
    return tuple(
        Rung(codec=codec, height=max(16, height), max_bitrate_bps=cap_bps(facts, codec, height))
        for codec in codecs
        for height in heights
    )


def given_ladder(
    facts: VideoFacts, codecs: Sequence[PackageCodec], asked: Sequence[Rung]
) -> tuple[Rung, ...]:
    """The rungs that a job names, each for its codec or for all; those that are larger than the
    source become its own size, once."""
    top = max(16, min(_shorter_side(facts), 16384))
    rungs: dict[tuple[PackageCodec, int], Rung] = {}
    for rung in sorted(asked, key=lambda rung: -rung.height):
        for codec in (rung.codec,) if rung.codec else codecs:
            height = min(rung.height, top)
            own = rung.model_copy(update={"codec": codec, "height": height})
            # Of several that are too large the smallest is meant for about this size.
            rungs[codec, height] = own
    order = list(dict.fromkeys((*codecs, *(codec for codec, _ in rungs))))
    return tuple(sorted(rungs.values(), key=lambda r: (order.index(r.codec or "h264"), -r.height)))


def cap_bps(facts: VideoFacts, codec: PackageCodec, height: int) -> int:
    """Cap in bit/s of a rung whose shorter side has `height` pixels, by its pixels and rate."""
    width, high = geometry(facts, VideoSettings(height=max(16, height))).canvas
    rate = max(float(facts.frame_rate or _USUAL_RATE), _USUAL_RATE) / _USUAL_RATE
    more = float((width * high / _FULL_HD * rate) ** _POWER)
    wanted = FULL_HD_BPS[codec] * more
    return max(2 * _STEP_BPS, round(wanted / _STEP_BPS) * _STEP_BPS)


def _shorter_side(facts: VideoFacts) -> int:
    return min(geometry(facts, VideoSettings()).canvas)
