"""What goes into a streaming package, and what its parts are: tracks, renditions, segments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from longtake.contracts.package import VideoRange


@dataclass(frozen=True)
class Track:
    """One finished rendition of picture or sound: an MP4 file of one track, fragmented or not.

    `name` names its folder; `language` is a BCP 47 tag; `title` is for people. Sounds of one
    `group` can take each other's place (HLS, GROUP-ID): one for each codec and channel count.
    Sounds that are made of the same `track` are the same in another form.
    `frame_rate` in Hz is the greatest that lasts; segments of frames that vary tell too little.
    `video_range` is read from the bitstream where it is left out; in AV1 it cannot be.
    """

    path: Path
    name: str
    kind: Literal["video", "audio"]
    language: str | None = None
    title: str | None = None
    group: str = "audio"
    default: bool = False
    commentary: bool = False
    described: bool = False
    track: int | None = None
    frame_rate: Fraction | None = None
    video_range: VideoRange | None = None


@dataclass(frozen=True)
class Text:
    """Captions: a whole WebVTT file, on the package's clock."""

    path: Path
    name: str
    language: str
    title: str | None = None
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False


@dataclass(frozen=True)
class Segment:
    """A media segment, or the part of one (`byte_range`, `LENGTH@OFFSET`) that is an I-frame."""

    uri: str
    duration_s: Fraction
    bytes: int
    byte_range: str | None = None


@dataclass(frozen=True)
class Rendition:
    """A rendition of a package: its segments, and what manifests say of it."""

    name: str
    kind: Literal["video", "audio", "captions"]
    segments: tuple[Segment, ...]
    codecs: str
    folder: str = ""
    end_s: Fraction = Fraction()
    """Where it ends on the package's clock."""
    i_frames: tuple[Segment, ...] = ()
    language: str | None = None
    title: str | None = None
    group: str = ""
    default: bool = False
    commentary: bool = False
    described: bool = False
    """Sound that tells what is seen."""
    forced: bool = False
    """Captions of what all viewers need."""
    hearing_impaired: bool = False
    """Captions that tell sounds, too."""
    track: int | None = None
    resolution: tuple[int, int] | None = None
    """As it is shown, in square pixels."""
    frame_rate: Fraction | None = None
    video_range: VideoRange | None = None
    channels: int | None = None
    fragments: tuple[Segment, ...] = field(default=(), repr=False)
    """Of captions: the same as `segments` for DASH, as MP4."""


def target_duration(segments: Iterable[Segment]) -> int:
    """The longest duration, rounded to whole seconds (RFC 8216, 4.3.3.1)."""
    longest = max((segment.duration_s for segment in segments), default=Fraction())
    return max(1, math.floor(longest + Fraction(1, 2)))


def peak_bps(segments: Sequence[Segment], target_s: int) -> int:
    """The peak bit rate, in bit/s: the greatest of any run of segments that lasts 0.5 to 1.5 times
    the target duration (RFC 8216, 4.1); of all of them where they are shorter."""
    peak = Fraction(average_bps(segments))
    for first in range(len(segments)):
        size, lasts_s = 0, Fraction()
        for segment in segments[first:]:
            size += segment.bytes
            lasts_s += segment.duration_s
            if lasts_s * 2 > target_s * 3:
                break
            if lasts_s * 2 >= target_s:
                peak = max(peak, 8 * size / lasts_s)
    return math.ceil(peak)


BUFFER_S = 2
"""What the packager writes as minBufferTime: so much a player of DASH has before it begins."""
_STEP = Fraction(21, 20)


def steady_bps(segments: Sequence[Segment], target_s: int) -> int:
    """The bit rate of DASH's @bandwidth, in bit/s, at least the peak: at it every segment comes
    before its end, whichever playing begins with (ISO/IEC 23009-1, 5.3.5.2)."""
    rate = peak_bps(segments, target_s)
    while not _comes_in_time(segments, rate):
        rate = math.ceil(rate * _STEP)
    return rate


def _comes_in_time(segments: Sequence[Segment], rate: int) -> bool:
    behind = Fraction()
    for segment in segments:
        behind = max(Fraction(), behind) + 8 * segment.bytes - rate * segment.duration_s
        if behind > rate * BUFFER_S:
            return False
    return True


def average_bps(segments: Sequence[Segment]) -> int:
    """All bits by the whole duration, in bit/s."""
    lasts_s = sum((segment.duration_s for segment in segments), Fraction())
    return math.ceil(8 * sum(segment.bytes for segment in segments) / lasts_s)


def places(sounds: Sequence[Rendition]) -> dict[str, tuple[str | None, int]]:
    """What each sound is among those of its group, by its name: its language, and the track that it
    was made of, or else its number among the group's sounds of that language. Sounds of other
    groups with the same place replace it."""
    found: dict[str, tuple[str | None, int]] = {}
    for sound in sounds:
        before = [each for each in sounds if each.group == sound.group and each.name in found]
        alike = sum(each.language == sound.language for each in before)
        found[sound.name] = (sound.language, alike if sound.track is None else sound.track)
    return found
