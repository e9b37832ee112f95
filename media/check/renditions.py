"""Renditions: the segments of a playlist or a representation in order, and figures of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from longtake.contracts.check import RenditionFacts
from media.check.facts import (
    Captions,
    Kind,
    Package,
    Piece,
    Playlist,
    Representation,
    Segment,
    Stream,
    Track,
)

_CLOSE = Fraction(1, 2000)
"""Half of what lies between 29.97 and 30."""


@dataclass(frozen=True)
class Rendition:
    """What one media playlist or one representation plays."""

    name: str
    kind: Kind
    track: Track | None
    """None of WebVTT, and where the init segment cannot be read."""
    init: str | None
    segments: tuple[Segment | Captions, ...]
    lengths: tuple[Fraction, ...]
    """Seconds of each: of its samples where they can be read, else as the manifest tells."""
    target_s: Fraction
    """TARGETDURATION; of DASH, the longest segment."""
    encryption: str | None = None

    @cached_property
    def media(self) -> tuple[Segment, ...]:
        """The segments whose samples could be read."""
        if self.track is None:
            return ()
        found = (each for each in self.segments if isinstance(each, Segment))
        return tuple(each for each in found if each.fragments)

    @cached_property
    def is_timed(self) -> bool:
        """Whether the samples of all segments could be read, and take time."""
        return len(self.media) == len(self.segments) and self.frame_s > 0

    def seconds(self, ticks: int) -> Fraction:
        """Ticks of the track as seconds."""
        return Fraction(ticks, self.track.timescale if self.track else 1)

    @property
    def start_s(self) -> Fraction:
        """When its first frame is shown; what an edit list cuts is not counted."""
        return self.presented(self.media[0])[0]

    @property
    def end_s(self) -> Fraction:
        """When its last frame ends."""
        return self.presented(self.media[-1])[1]

    def presented(self, segment: Segment) -> tuple[Fraction, Fraction]:
        """When a segment is shown, in seconds."""
        assert self.track is not None
        start, end = segment.presented(self.track)
        return self.seconds(start), self.seconds(end)

    @cached_property
    def samples(self) -> int:
        """Frames of picture or of sound."""
        return sum(segment.samples for segment in self.media)

    @cached_property
    def frame_s(self) -> Fraction:
        """Mean length of a frame."""
        ticks = sum(segment.end - segment.start for segment in self.media)
        return self.seconds(ticks) / max(self.samples, 1)

    @cached_property
    def is_constant(self) -> bool:
        """Whether all frames but the last are equally long."""
        fragments = [each for segment in self.media for each in segment.fragments]
        lengths = {fragment.longest for fragment in fragments}
        lengths |= {fragment.shortest for fragment in fragments[:-1]}
        last = fragments[-1]
        others = last.longest * (last.samples - 1)
        return len(lengths) == 1 and last.duration == others + last.shortest

    def has_rate(self, declared: Fraction) -> bool:
        """Whether a rate in Hz is that of its frames, or lies between those of the longest and the
        shortest: on a clock of milliseconds no two are quite alike."""
        fragments = [each for segment in self.media for each in segment.fragments]
        longest = self.seconds(max(each.longest for each in fragments))
        # The film's end may cut its last frame short, which makes no rate of equal ones.
        counted = fragments[:-1] if self.is_constant else fragments
        lengths = [self.seconds(max(each.shortest, 1)) for each in counted]
        shortest = min([self.frame_s, *lengths])
        return (1 - _CLOSE) / longest <= declared <= (1 + _CLOSE) / shortest

    @cached_property
    def bytes(self) -> int:
        """Of all segments, without the init segment."""
        return sum(segment.bytes for segment in self.segments)

    @cached_property
    def duration_s(self) -> Fraction:
        """Seconds of all segments."""
        return sum(self.lengths, Fraction())

    @cached_property
    def peak_bps(self) -> Fraction:
        """Peak segment bit rate."""
        return peak(self.sizes, self.lengths, self.target_s)

    @cached_property
    def mean_bps(self) -> Fraction:
        """Average segment bit rate."""
        return Fraction(self.bytes * 8) / self.duration_s if self.duration_s else Fraction()

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of each segment."""
        return [segment.bytes for segment in self.segments]


def peak(sizes: Sequence[int], lengths: Sequence[Fraction], target_s: Fraction) -> Fraction:
    """Peak segment bit rate, bit/s: the largest of any run of segments that lasts from 0.5 to
    1.5 target durations (RFC 8216bis, 4.1); of the whole, where no run does."""
    largest = Fraction()
    for first in range(len(sizes)):
        size, length = 0, Fraction()
        for last in range(first, len(sizes)):
            size, length = size + sizes[last], length + lengths[last]
            if length > target_s * 3 / 2:
                break
            if length >= target_s / 2:
                largest = max(largest, size * 8 / length)
    if largest:
        return largest
    whole = sum(lengths, Fraction())
    return sum(sizes) * 8 / whole if whole else Fraction()


def of_playlist(package: Package, playlist: Playlist) -> Rendition | None:
    """The rendition of a media playlist; None if nothing of it could be read. I-frames are
    segments of their own, of which nothing but the length is known."""
    look = _iframe if playlist.iframes_only else _segment
    pairs = [(piece, look(package, piece)) for piece in playlist.pieces]
    found = [(piece, segment) for piece, segment in pairs if segment is not None]
    if not found:
        return None
    init = found[0][0].init
    track = package.tracks.get(init) if init else None
    lengths = [_length(segment, track) or piece.duration for piece, segment in found]
    kind: Kind = "text" if track is None and isinstance(found[0][1], Captions) else "video"
    opaque = any(piece.is_opaque for piece, _ in found)
    scheme = track.protection.scheme if track and track.protection else None
    return Rendition(
        name=playlist.path,
        kind=track.kind if track else kind,
        track=track,
        init=init,
        segments=tuple(segment for _, segment in found),
        lengths=tuple(lengths),
        target_s=Fraction(playlist.target or 1),
        encryption="aes-128" if opaque else scheme,
    )


def of_representation(package: Package, representation: Representation) -> Rendition | None:
    """The same of DASH."""
    track = package.tracks.get(representation.init) if representation.init else None
    pairs = [(span, package.segments.get(span.path or "")) for span in representation.spans]
    found = [(span, segment) for span, segment in pairs if segment is not None]
    if not found or track is None:
        return None
    ticks = representation.timescale or track.timescale
    lengths = [_length(segment, track) or Fraction(s.duration, ticks) for s, segment in found]
    return Rendition(
        name=representation.name,
        kind=track.kind,
        track=track,
        init=representation.init,
        segments=tuple(segment for _, segment in found),
        lengths=tuple(lengths),
        target_s=max(lengths),
        encryption=track.protection.scheme if track.protection else None,
    )


def _segment(package: Package, piece: Piece) -> Segment | Captions | None:
    if piece.segment is None:
        return None
    return package.segments.get(piece.segment) or package.captions.get(piece.segment)


def _iframe(package: Package, piece: Piece) -> Segment | None:
    if piece.path is None or piece.span is None:
        return None
    return Segment(piece.path, piece.span[0], piece.span[1] - piece.span[0])


def _length(segment: Segment | Captions, track: Track | None) -> Fraction | None:
    if track is None or isinstance(segment, Captions) or not segment.fragments:
        return None
    start, end = segment.presented(track)
    return Fraction(end - start, track.timescale)


def renditions(package: Package) -> list[Rendition]:
    """Each once: those of HLS, and of DASH what HLS does not play."""
    found = list(of_hls(package))
    known = {segment.path for each in found for segment in each.segments}
    more = [
        each
        for each in of_dash(package)
        if not known.issuperset(segment.path for segment in each.segments)
    ]
    return found + more


def of_hls(package: Package) -> Iterator[Rendition]:
    """The renditions of HLS, I-frames left out."""
    for playlist in package.playlists.values():
        rendition = None if playlist.iframes_only else of_playlist(package, playlist)
        if rendition is not None:
            yield rendition


def of_dash(package: Package) -> Iterator[Rendition]:
    """The renditions of DASH."""
    for group in package.mpd.sets if package.mpd else ():
        for representation in group.representations:
            rendition = of_representation(package, representation)
            if rendition is not None:
                yield rendition


def members(package: Package, stream: Stream, kind: str) -> list[Rendition]:
    """The renditions of the group that a stream names for a kind, such as AUDIO."""
    group, found = stream.attributes.get(kind.lower()), package.master
    paths = [
        media.path
        for media in (found.media if found else ())
        if media.attributes.get("group_id") == group and media.attributes.get("type") == kind
    ]
    known = [package.playlists[path] for path in paths if path in package.playlists]
    return [each for playlist in known if (each := of_playlist(package, playlist))]


def facts(rendition: Rendition) -> RenditionFacts:
    """What is told of a rendition."""
    track, is_video = rendition.track, rendition.kind == "video"
    rate = 1 / rendition.frame_s if is_video and rendition.media and rendition.frame_s else None
    return RenditionFacts(
        name=rendition.name,
        kind=rendition.kind,
        codec=track.codec if track else None,
        width=track.width if track and is_video else None,
        height=track.height if track and is_video else None,
        frame_rate=rate,
        channels=track.channels if track and rendition.kind == "audio" else None,
        sample_rate=track.sample_rate if track and rendition.kind == "audio" else None,
        encryption=rendition.encryption,
        segments=len(rendition.segments),
        bytes=rendition.bytes,
        duration_s=round(float(rendition.duration_s), 6),
        peak_bps=round(rendition.peak_bps),
        average_bps=round(rendition.mean_bps),
    )
