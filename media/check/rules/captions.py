"""Rules of WebVTT captions: their clock, and that each segment holds what its time shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from longtake.contracts.check import RuleFinding
from media.check.facts import Captions, Cue, Media, Package, Playlist
from media.check.renditions import Rendition, of_hls
from media.check.rules import finding

_SLACK_S = Fraction(1, 10)
"""Captions are timed in milliseconds, and playlists round."""
_PLAYED_S = Fraction(1)
"""So much later than 0 the media's clock may begin without a map: an edit list, a late frame."""


_Span = tuple[Fraction, Fraction]


def captions(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the captions of HLS."""
    found = list(of_hls(package))
    film = next((each for each in found if each.kind == "video" and each.is_timed), None)
    film = film or next((each for each in found if each.is_timed), None)
    if film is None:
        return
    longest = max(each.duration_s for each in found if each.is_timed)
    for playlist in package.playlists.values():
        files = [package.captions.get(piece.path or "") for piece in playlist.pieces]
        if not any(files):
            continue
        yield from _clock(film, [each for each in files if each])
        yield from _cover(film, longest, playlist)
        if all(files):
            yield from _cues(film, playlist, [each for each in files if each])
    yield from _forced(package)


def _forced(package: Package) -> Iterator[RuleFinding]:
    """What all viewers need is in the captions of their language, too: one of both is shown."""
    told = package.master.media if package.master else ()
    captions = [each for each in told if each.attributes.get("type") == "SUBTITLES"]
    regular: dict[str | None, list[_Span]] = {}
    for each in captions:
        if each.attributes.get("forced") != "YES":
            own = regular.setdefault(each.attributes.get("language"), [])
            own += _times(package, each)
    for each in captions:
        others = regular.get(each.attributes.get("language"))
        if each.attributes.get("forced") != "YES" or others is None:
            continue
        alone = next(_outside(_times(package, each), others), None)
        if alone:
            words = f"the cue from {_s(alone[0])} is not among the others of its language"
            yield finding("captions-forced", each.where, words)


def _outside(spans: list[_Span], others: list[_Span]) -> Iterator[_Span]:
    """Those in whose time none of the others lies."""
    ordered, at, reach = sorted(others), 0, Fraction(-1)
    for begin, end in sorted(spans):
        while at < len(ordered) and ordered[at][0] < end:
            reach, at = max(reach, ordered[at][1]), at + 1
        if reach <= begin:
            yield begin, end


def _times(package: Package, media: Media) -> list[_Span]:
    playlist = package.playlists.get(media.path or "")
    files = (
        [package.captions.get(piece.path or "") for piece in playlist.pieces] if playlist else ()
    )
    return [_shown(cue, file) for file in files if file for cue in file.cues]


def _clock(film: Rendition, files: Sequence[Captions]) -> Iterator[RuleFinding]:
    begin = film.seconds(film.media[0].earliest)
    for each in files:
        if each.timestamp_map is None and begin >= _PLAYED_S:
            message = f"there is none, and the media's clock begins at {float(begin):.4g} s"
            yield finding("captions-timestamp-map", each.path, message)


def _cover(film: Rendition, longest: Fraction, playlist: Playlist) -> Iterator[RuleFinding]:
    """The last cue may be long past; the playlist still goes on to the end, and no further."""
    length, wanted = sum((piece.duration for piece in playlist.pieces), Fraction()), film.duration_s
    if length < wanted - max(film.frame_s, _SLACK_S):  # the sound may last longer than the film
        yield finding(
            "captions-cover",
            playlist.path,
            f"its segments last {float(length):.4g} s; the film {float(wanted):.4g} s",
        )
    elif length > longest + max(film.frame_s, _SLACK_S):
        yield finding(
            "captions-cover",
            playlist.path,
            f"its segments last {float(length):.4g} s; all else ends at {float(longest):.4g} s",
        )


def _cues(film: Rendition, playlist: Playlist, files: Sequence[Captions]) -> Iterator[RuleFinding]:
    """Each cue in every segment that it is shown in, and in no other."""
    begin = film.seconds(film.media[0].earliest)
    spans, time = [], begin
    for piece in playlist.pieces:
        spans.append((time, time + piece.duration))
        time += piece.duration
    for number, ((start, end), file) in enumerate(zip(spans, files, strict=True)):
        for cue in file.cues:
            shown = _shown(cue, file)
            if shown[1] <= start - _SLACK_S or shown[0] >= end + _SLACK_S:
                yield finding(
                    "captions-cues",
                    file.path,
                    f"a cue is shown from {_s(shown[0])} to {_s(shown[1])}; "
                    f"the segment lasts from {_s(start)} to {_s(end)}",
                )
            elif number + 1 < len(files) and shown[1] > end + _SLACK_S:
                follower = files[number + 1]
                if all(_shown(each, follower)[1] != shown[1] for each in follower.cues):
                    yield finding(
                        "captions-cues",
                        follower.path,
                        f"the cue until {_s(shown[1])} of the segment before is missing",
                    )


def _shown(cue: Cue, file: Captions) -> tuple[Fraction, Fraction]:
    """On the clock of the media."""
    later = file.timestamp_map or Fraction()
    return cue.start + later, cue.end + later


def _s(seconds: Fraction) -> str:
    return f"{float(seconds):.3f} s"
