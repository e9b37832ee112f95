"""Rules of HLS media playlists: target durations, EXTINF, what a finished playlist says."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from longtake.contracts.check import RuleFinding
from media.check.facts import Package, Playlist
from media.check.renditions import Rendition, of_playlist
from media.check.rules import finding

_HALF_S = Fraction(1, 2)


def playlists(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the media playlists."""
    targets: dict[int, str] = {}
    for playlist in package.playlists.values():
        rendition = None if playlist.iframes_only else of_playlist(package, playlist)
        yield from _finished(playlist)
        if playlist.iframes_only and playlist.pieces and not playlist.has_map:
            yield finding("hls-map", playlist.path, "I-frames of MP4, and no EXT-X-MAP")
        yield from _target(playlist)
        if rendition is None:
            continue
        if rendition.kind != "text" and playlist.target is not None:
            targets.setdefault(playlist.target, playlist.path)
        if rendition.is_timed and len(rendition.media) == len(playlist.pieces):
            yield from _extinf(playlist, rendition)
    if len(targets) > 1:
        words = ", ".join(f"{target} ({path})" for target, path in sorted(targets.items()))
        yield finding(
            "hls-target-duration-same", package.master.path if package.master else "", words
        )


def _finished(playlist: Playlist) -> Iterator[RuleFinding]:
    if playlist.kind != "vod" or not playlist.ended:
        missing = [] if playlist.kind == "vod" else ["EXT-X-PLAYLIST-TYPE:VOD"]
        missing += [] if playlist.ended else ["EXT-X-ENDLIST"]
        yield finding("hls-vod", playlist.path, f"{' and '.join(missing)} is missing")


def _target(playlist: Playlist) -> Iterator[RuleFinding]:
    if playlist.target is None:
        return  # told by the grammar
    for number, piece in enumerate(playlist.pieces, 1):
        if int(piece.duration + _HALF_S) > playlist.target:
            yield finding(
                "hls-target-duration",
                f"{playlist.path}, segment {number}",
                f"EXTINF {float(piece.duration):g}; TARGETDURATION is {playlist.target}",
            )


def _extinf(playlist: Playlist, rendition: Rendition) -> Iterator[RuleFinding]:
    """Sums of EXTINF over any run of segments: the spread of the error of their running sum."""
    written = real = Fraction()
    errors = [Fraction()]
    for number, (piece, length) in enumerate(
        zip(playlist.pieces, rendition.lengths, strict=True), 1
    ):
        where = f"{playlist.path}, segment {number}"
        if playlist.target is not None and length > playlist.target + _HALF_S:
            yield finding(
                "hls-segment-too-long", where, f"{float(length):.4g} s of {playlist.target} s"
            )
        written, real = written + piece.duration, real + length
        errors.append(written - real)
        if max(errors) - min(errors) >= rendition.frame_s:
            yield finding(
                "hls-extinf",
                where,
                f"EXTINF {float(piece.duration):g}; its samples last {float(length):.6g} s, and "
                f"sums are off by {float(max(errors) - min(errors)):.4g} s up to here",
            )
            return
