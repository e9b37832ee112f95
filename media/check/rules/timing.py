"""Rules of segments: how they follow one another, begin, and lie beside those of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.check import RuleFinding
from media.check.facts import Fragment
from media.check.renditions import Rendition
from media.check.rules import finding

KEYFRAMES_S = 2
_CMAF = {"cmfc", "cmf2"}
_MILLISECOND = Fraction(1, 1000)


def timing(renditions: Sequence[Rendition]) -> Iterator[RuleFinding]:
    """What is wrong with the segments of all renditions."""
    timed = [each for each in renditions if each.is_timed]
    for track, where in {each.track: each.init or each.name for each in timed}.items():
        if track and not set(track.brands) & _CMAF:
            yield finding("cmaf-brand", where, f"its brands are {' '.join(track.brands)[:80]}")
    for rendition in timed:
        yield from _continuity(rendition)
        if rendition.kind == "video":
            yield from _keyframes(rendition)
            yield from _sample_entry(rendition)
    pictures = [each for each in timed if each.kind == "video"]
    sounds = [each for each in timed if each.kind == "audio"]
    if not pictures:
        yield from _together(sounds)
        return
    for other in pictures[1:]:
        yield from _aligned(pictures[0], other, "segment-alignment", pictures[0].frame_s)
    for sound in sounds:
        apart = pictures[0].frame_s + sound.frame_s
        yield from _aligned(pictures[0], sound, "segment-alignment-sound", apart)
    yield from _together([*pictures, *sounds])


def _continuity(rendition: Rendition) -> Iterator[RuleFinding]:
    fragments = [
        (segment.path, fragment) for segment in rendition.media for fragment in segment.fragments
    ]
    path = next((path for path, fragment in fragments if not fragment.is_relative), None)
    if path is not None:
        yield finding(
            "segment-relative", path, "tfhd is without default-base-is-moof, or has a base"
        )
    for (_, before), (path, fragment) in pairwise(fragments):
        ticks = fragment.start - (before.start + before.duration)
        if ticks == 0:
            continue
        apart = rendition.seconds(ticks)
        rule = "segment-drift" if abs(apart) < rendition.frame_s else "segment-continuity"
        kind = "a gap" if ticks > 0 else "an overlap"
        at = float(rendition.seconds(fragment.start))
        yield finding(rule, path, f"{kind} of {_s(abs(apart))} before its fragment at {at:.3f} s")


def _keyframes(rendition: Rendition) -> Iterator[RuleFinding]:
    for segment in rendition.media:
        first = segment.fragments[0]
        if not first.starts_with_key:
            message = "its first sample is flagged as no sync sample"
        elif segment.start_kind == "none":
            message = "its first sample is flagged as a sync sample, and is no keyframe"
        elif segment.start_kind == "open":
            message = "its first keyframe is no IDR: frames after it reach behind it (open GOP)"
        else:
            continue
        yield finding("segment-keyframe", segment.path, message)
    yield from _interval(rendition)


def _interval(rendition: Rendition) -> Iterator[RuleFinding]:
    """Keyframes inside a fragment are not placed: there the mean counts."""
    longest = max(
        rendition.seconds(fragment.duration) / max(fragment.keyframes, 1)
        for fragment in _joined(rendition)
    )
    frame = max(rendition.seconds(each.longest) for s in rendition.media for each in s.fragments)
    if longest > KEYFRAMES_S + frame:
        yield finding(
            "keyframe-interval", rendition.name, f"keyframes are up to {_s(longest)} apart"
        )


def _joined(rendition: Rendition) -> Iterator[Fragment]:
    """Fragments, those that do not begin with a keyframe added to the one before."""
    whole: Fragment | None = None
    for fragment in (each for segment in rendition.media for each in segment.fragments):
        if whole is None or fragment.starts_with_key:
            if whole is not None:
                yield whole
            whole = fragment
        else:
            whole = replace(
                whole,
                duration=whole.duration + fragment.duration,
                keyframes=whole.keyframes + fragment.keyframes,
            )
    if whole is not None:
        yield whole


def _sample_entry(rendition: Rendition) -> Iterator[RuleFinding]:
    track = rendition.track
    if track is not None and track.entry in ("avc3", "hev1"):
        yield finding("sample-entry", rendition.init or rendition.name, f"it is {track.entry}")


def _aligned(one: Rendition, other: Rendition, rule: str, apart: Fraction) -> Iterator[RuleFinding]:
    """Boundaries of two renditions; `apart` seconds are allowed, less than."""
    if len(one.media) != len(other.media):
        yield finding(
            rule,
            other.name,
            f"{len(other.media)} segments; {one.name} has {len(one.media)}",
        )
        return
    for number, (a, b) in enumerate(zip(one.media[1:], other.media[1:], strict=True), 2):
        difference = one.presented(a)[0] - other.presented(b)[0]
        if abs(difference) >= apart:
            yield finding(
                rule,
                f"{other.name}, segment {number}",
                f"it begins {_s(abs(difference))} from where {one.name} has its boundary",
            )
            return


def _together(renditions: Sequence[Rendition]) -> Iterator[RuleFinding]:
    """Start and end of all against the first."""
    if not renditions:
        return
    first = renditions[0]
    for other in renditions[1:]:
        frame = max(first.frame_s, other.frame_s)
        mixed = "-sound" if other.kind != first.kind else ""
        if abs(other.start_s - first.start_s) > frame + _MILLISECOND:
            yield finding(
                f"track-start{mixed}",
                other.name,
                f"it begins at {_s(other.start_s)}; {first.name} at {_s(first.start_s)}",
            )
        sound = 2 * other.frame_s if other.kind == "audio" else Fraction()
        if abs(other.end_s - first.end_s) > max(first.frame_s, sound) + _MILLISECOND:
            yield finding(
                f"track-duration{mixed}",
                other.name,
                f"it ends at {_s(other.end_s)}; {first.name} at {_s(first.end_s)}",
            )


def _s(seconds: Fraction) -> str:
    return f"{float(seconds):.4g} s"
