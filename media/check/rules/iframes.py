"""Rules of I-frame playlists: each byte range against the fragment that it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.check import RuleFinding
from media.check.facts import Fragment, Package, Piece, Playlist
from media.check.renditions import of_playlist
from media.check.rules import finding

Holder = tuple[Piece, Fragment]
"""An I-frame, and the fragment that begins with it."""


def iframes(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the I-frame playlists."""
    for stream in package.master.streams if package.master else ():
        playlist = package.playlists.get(stream.path or "")
        if not stream.iframes or playlist is None:
            continue
        if not playlist.iframes_only:
            yield finding("iframe-playlist", playlist.path, "EXT-X-I-FRAMES-ONLY is missing")
        yield from _ranges(package, playlist)
        yield from _lengths(package, playlist)


def held(package: Package, playlist: Playlist) -> list[Holder]:
    """The I-frames whose byte ranges are right."""
    pairs = ((piece, _fragment(package, piece)) for piece in playlist.pieces)
    return [
        (piece, fragment)
        for piece, fragment in pairs
        if fragment is not None and not _wrong(piece, fragment)
    ]


def _ranges(package: Package, playlist: Playlist) -> Iterator[RuleFinding]:
    for number, piece in enumerate(playlist.pieces, 1):
        where = f"{playlist.path}, I-frame {number}"
        if piece.path is None or piece.is_opaque:
            continue
        if piece.span is None:
            yield finding("iframe-playlist", where, "there is no EXT-X-BYTERANGE")
            continue
        segment, fragment = package.segments.get(piece.path), _fragment(package, piece)
        begin, end = piece.span
        if segment and end > segment.bytes:
            words = f"bytes {begin} to {end} of a segment of {segment.bytes}"
            yield finding("iframe-range", where, words)
        elif segment and segment.fragments and fragment is None:
            yield finding("iframe-range", where, f"no fragment begins at byte {begin}")
        elif fragment and (message := _wrong(piece, fragment)):
            yield finding("iframe-range", where, message)


def _fragment(package: Package, piece: Piece) -> Fragment | None:
    """The fragment at the beginning of a range; boxes such as styp may go before its moof."""
    segment = package.segments.get(piece.path or "")
    if segment is None or piece.span is None:
        return None
    before = 0
    for fragment in segment.fragments:
        if before <= piece.span[0] <= fragment.begin:
            is_first = before == 0
            return fragment if is_first or piece.span[0] == fragment.begin else None
        before = fragment.end
    return None


def _wrong(piece: Piece, fragment: Fragment) -> str | None:
    """Why a range does not hold the fragment's keyframe and nothing else; None if it does."""
    end = fragment.data + fragment.first_size
    if not fragment.starts_with_key:
        return "its first sample is flagged as no sync sample"
    if piece.span is None or piece.span[1] < end:
        return f"it ends before its frame does, at byte {end}"
    if piece.span[1] > end and fragment.samples > 1:
        return f"it goes on behind its frame, which ends at byte {end}"
    return None


def _lengths(package: Package, playlist: Playlist) -> Iterator[RuleFinding]:
    """EXTINF against the time to the next I-frame, and behind the last one to the film's end."""
    init = next((piece.init for piece in playlist.pieces if piece.init), None)
    track, frames = package.tracks.get(init or ""), held(package, playlist)
    if track is None or len(frames) != len(playlist.pieces):
        return
    times = [Fraction(fragment.first_time, track.timescale) for _, fragment in frames]
    end = _end(package, frames, track.timescale)
    for number, (time, after) in enumerate(pairwise([*times, end]), 1):
        piece, fragment = frames[number - 1]
        frame = Fraction(fragment.duration, fragment.samples * track.timescale)
        if abs(piece.duration - (after - time)) >= frame:
            yield finding(
                "iframe-extinf",
                f"{playlist.path}, I-frame {number}",
                f"EXTINF {float(piece.duration):g}; the next is {float(after - time):.4g} s later",
            )


def _end(package: Package, frames: list[Holder], timescale: int) -> Fraction:
    """Where the rendition ends in which the last I-frame lies."""
    last = frames[-1][0].path
    for playlist in package.playlists.values():
        rendition = None if playlist.iframes_only else of_playlist(package, playlist)
        if rendition and rendition.is_timed and last in {each.path for each in rendition.media}:
            return rendition.seconds(rendition.media[-1].end)
    segment = package.segments[last or ""]
    return Fraction(segment.end, timescale)
