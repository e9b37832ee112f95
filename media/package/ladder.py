"""The ladder: which sizes and rates of a picture are worth offering for streaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.encode import VideoSettings
from longtake.contracts.ladder import LadderChoice, Trial
from longtake.contracts.media import VideoFacts
from longtake.contracts.package import MOST_RUNGS, PackageCodec, Rung
from media.package.hull import BAD_LINE_BPS, by_size, choose_ladder, mean_trials
from media.package.ladder_worth import below, expected, is_worth_it
from media.picture.geometry import geometry

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

_MOST_CHOSEN = 6
"""Rungs of one codec that test encodes choose."""


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
    """The rungs that a job names, each for its codec or for all; of those that are larger than the
    source the smallest becomes its own size, unless one has it already."""
    top = max(16, min(_shorter_side(facts), 16384))
    order = dict.fromkeys((*codecs, *(rung.codec for rung in asked if rung.codec)))
    found = []
    for codec in order:
        for_all = codec in codecs
        own = [r for r in asked if r.codec == codec or (r.codec is None and for_all)]
        found += [rung.model_copy(update={"codec": codec}) for rung in _within(own, top)]
    return tuple(found)


def _within(asked: Sequence[Rung], top: int) -> list[Rung]:
    """Rungs up to this height, the largest and then the richest first."""
    kept = [rung for rung in asked if rung.height <= top]
    larger = [rung for rung in asked if rung.height > top]
    if larger and all(rung.height < top for rung in kept):
        # It is the one that is meant for about this size.
        smallest = min(larger, key=lambda rung: rung.height)
        kept.append(smallest.model_copy(update={"height": top}))
    return sorted(dict.fromkeys(kept), key=lambda rung: (-rung.height, -rung.max_bitrate_bps))


def auto_ladder(
    facts: VideoFacts,
    codecs: Sequence[PackageCodec],
    samples: Sequence[Sequence[Trial]],
    crf: Mapping[PackageCodec, float],
) -> tuple[LadderChoice, ...]:
    """The ladder that test encodes speak for, which is the fixed one where they know no better; no
    choice where nothing that was tested keeps within the fixed ladder's cap.

    `samples`: the test encodes of each sample, in the first codec, then in the next; `crf`: of the
    job, where it names one.
    """
    count = len(samples) // len(codecs)
    choices = []
    most = min(MOST_RUNGS // len(codecs), _MOST_CHOSEN)
    for number, codec in enumerate(codecs):
        trials = mean_trials(samples[number * count : (number + 1) * count])
        top = min(_shorter_side(facts), HEIGHTS[0])
        quality = crf.get(codec) or (ENCODINGS[codec].crf or (0, 0, 0))[2]
        sizes = zip(fixed_ladder(facts, (codec,)), by_size(trials), strict=True)
        usual = tuple(expected(rung, quality, own) for rung, own in sizes)
        choice = choose_ladder(
            codec,
            trials,
            most_bps=cap_bps(facts, codec, top),
            most_rungs=most,
            last_bps=min(BAD_LINE_BPS, *(each.bps for each in usual)),
        )
        if choice and choice.rungs[0].bps > BAD_LINE_BPS and not is_worth_it(choice.rungs, usual):
            rungs = (*usual, *below(usual[-1], choice.rungs))[: max(len(usual), most)]
            choice = choice.model_copy(update={"rungs": rungs, "is_fixed": True})
        choices += [choice] if choice else []
    return tuple(choices) if len(choices) == len(codecs) else ()


def chosen_rungs(choices: Sequence[LadderChoice]) -> tuple[Rung, ...]:
    """What was chosen, as a job would name it."""
    return tuple(
        Rung(
            codec=choice.codec,
            height=max(16, min(rung.width, rung.height)),
            crf=rung.crf,
            max_bitrate_bps=rung.max_bitrate_bps,
        )
        for choice in choices
        for rung in choice.rungs
    )


def cap_bps(facts: VideoFacts, codec: PackageCodec, height: int) -> int:
    """Cap in bit/s of a rung whose shorter side has `height` pixels, by its pixels and rate."""
    width, high = geometry(facts, VideoSettings(height=max(16, height))).canvas
    rate = max(float(facts.frame_rate or _USUAL_RATE), _USUAL_RATE) / _USUAL_RATE
    more = float((width * high / _FULL_HD * rate) ** _POWER)
    wanted = FULL_HD_BPS[codec] * more
    return max(2 * _STEP_BPS, round(wanted / _STEP_BPS) * _STEP_BPS)


def _shorter_side(facts: VideoFacts) -> int:
    return min(geometry(facts, VideoSettings()).canvas)
