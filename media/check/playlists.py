"""HLS playlists (RFC 8216bis) read by `m3u8`, and what of their grammar it passes over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from m3u8.parser import parse

from longtake.contracts.check import RuleFinding
from media.check.attributes import wrong_lists
from media.check.facts import Key, Master, Media, Piece, Playlist, Stream
from media.check.folder import Folder, folder_of
from media.check.rules import finding

_OF_MASTER = ("EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MEDIA", "EXT-X-SESSION-KEY")
_OF_MEDIA = (
    *("EXTINF", "EXT-X-TARGETDURATION", "EXT-X-BYTERANGE", "EXT-X-KEY", "EXT-X-MAP"),
    *("EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY", "EXT-X-MEDIA-SEQUENCE"),
)
_ONCE = (
    *("EXTM3U", "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE"),
    *("EXT-X-MEDIA-SEQUENCE", "EXT-X-I-FRAMES-ONLY", "EXT-X-INDEPENDENT-SEGMENTS"),
)


LONGEST_S = 48 * 3600


class NotAPlaylist(ValueError):
    """It cannot be read; the message says why."""


def read_master(folder: Folder, path: str) -> Master:
    """The multivariant playlist. Raises NotAPlaylist."""
    data, lines = _parsed(folder, path)
    if not data["is_variant"]:
        raise NotAPlaylist("it is a media playlist; name the master playlist, or its folder")
    folder.findings += grammar(path, lines, master=True)
    streams = [
        _stream(folder, path, number, each["uri"], each["stream_info"], iframes=False)
        for number, each in enumerate(data["playlists"], 1)
    ]
    streams += [
        _stream(folder, path, number, each["uri"], each["iframe_stream_info"], iframes=True)
        for number, each in enumerate(data["iframe_playlists"], 1)
    ]
    media = [_media(folder, path, number, each) for number, each in enumerate(data["media"], 1)]
    version = int(data.get("version") or 1)
    independent = bool(data["is_independent_segments"])
    return Master(path, version, independent, tuple(streams), tuple(media))


def read_playlist(folder: Folder, path: str) -> Playlist:
    """A media playlist. Raises NotAPlaylist."""
    data, lines = _parsed(folder, path)
    folder.findings += grammar(path, lines, master=False)
    iframes_only, version = bool(data["is_i_frames_only"]), int(data.get("version") or 1)
    needed, why = needed_version(lines, iframes_only=iframes_only)
    if version < needed:
        folder.note("hls-version", path, f"version {version}; {why} needs {needed}")
    return Playlist(
        path=path,
        version=version,
        target=data.get("targetduration"),
        kind=data["playlist_type"],
        ended=bool(data["is_endlist"]),
        iframes_only=iframes_only,
        independent=bool(data["is_independent_segments"]),
        has_map=bool(data["segment_map"]),
        pieces=tuple(_pieces(folder, path, data["segments"])),
    )


def _parsed(folder: Folder, path: str) -> tuple[dict[str, Any], list[str]]:
    try:
        text = folder.text(path).decode("utf-8")
        data: dict[str, Any] = parse(text)
    except Exception as error:  # m3u8 raises whatever its casts and lookups raise
        raise NotAPlaylist(f"it cannot be read: {type(error).__name__}: {error}") from error
    lines = text.splitlines()
    for number, message in wrong_lists(lines):
        folder.note("hls-syntax", f"{path}:{number}", message)
    return data, lines


def grammar(path: str, lines: list[str], *, master: bool) -> Iterator[RuleFinding]:
    """What is wrong with the lines, where a reader would only pass over it."""
    if not lines or lines[0].rstrip() != "#EXTM3U":
        yield finding("hls-syntax", path, "the first line is not #EXTM3U")
    tags = [_tag(line) for line in lines]
    for tag, count in Counter(tags).items():
        if tag in _ONCE and count > 1:
            yield finding("hls-once", path, f"{tag} stands there {count} times")
    for tag in sorted(set(tags) & set(_OF_MEDIA if master else _OF_MASTER)):
        kind = "master" if master else "media"
        yield finding("hls-syntax", path, f"{tag} may not stand in a {kind} playlist")
    opener, announced = "EXT-X-STREAM-INF" if master else "EXTINF", False
    for number, (line, tag) in enumerate(zip(lines, tags, strict=True), 1):
        if tag == opener:
            if announced:
                yield finding(
                    "hls-syntax", f"{path}:{number}", f"{opener} twice, with no URI between"
                )
            announced = True
        elif line.strip() and not line.startswith("#"):
            if not announced:
                yield finding("hls-syntax", f"{path}:{number}", f"a URI without {opener}")
            announced = False
    if announced:
        yield finding("hls-syntax", path, f"the last {opener} has no URI")
    if not master and "EXT-X-TARGETDURATION" not in tags:
        yield finding("hls-syntax", path, "EXT-X-TARGETDURATION is missing")


def _tag(line: str) -> str:
    return line[1:].partition(":")[0].strip() if line.startswith("#EXT") else ""


def needed_version(lines: list[str], *, iframes_only: bool) -> tuple[int, str]:
    """The least EXT-X-VERSION of a media playlist, and what needs it (RFC 8216bis, 8)."""
    needs = [(1, "it")]
    for line in lines:
        tag = _tag(line)
        if tag == "EXTINF" and "." in line.partition(",")[0]:
            needs.append((3, "EXTINF with decimals"))
        elif tag in ("EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY"):
            needs.append((4, tag))
        elif tag == "EXT-X-MAP":
            needs.append((5 if iframes_only else 6, tag))
        elif tag == "EXT-X-KEY":
            needs.append((5 if "KEYFORMAT" in line else 2 if "IV=" in line else 1, tag))
    return max(needs)


def _pieces(folder: Folder, path: str, segments: list[dict[str, Any]]) -> Iterator[Piece]:
    base, behind = folder_of(path), 0
    for number, each in enumerate(segments, 1):
        where = f"{path}, segment {number}"
        if "uri" not in each or "duration" not in each:
            continue  # told by `grammar`
        span = None
        if "byterange" in each:
            span = _span(folder, where, each["byterange"], behind)
            behind = span[1] if span else 0
        section = each.get("init_section")
        init = folder.find(section["uri"], path, base) if section and "uri" in section else None
        yield Piece(
            uri=each["uri"],
            path=folder.find(each["uri"], where, base),
            duration=_seconds(each["duration"], where),
            span=span,
            init=init,
            key=_key(each.get("key")),
        )


def _seconds(written: float, where: str) -> Fraction:
    """EXTINF. Raises NotAPlaylist if it is no length of a segment."""
    if not 0 <= written <= LONGEST_S:
        raise NotAPlaylist(f"{where}: EXTINF {written:g}")
    return Fraction(str(written))


def _span(folder: Folder, where: str, written: str, behind: int) -> tuple[int, int] | None:
    """`length[@first byte]`; without the second it goes on behind the last one."""
    found = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", written.strip())
    if found is None:
        folder.note("hls-syntax", where, f"EXT-X-BYTERANGE:{written[:60]} is no range")
        return None
    begin = behind if found[2] is None else int(found[2])
    return begin, begin + int(found[1])


def _key(written: dict[str, str] | None) -> Key | None:
    if not written or written.get("method") == "NONE":
        return None
    return Key(
        method=written.get("method", ""),
        uri=written.get("uri"),
        iv=written.get("iv"),
        key_format=written.get("keyformat"),
        versions=written.get("keyformatversions"),
    )


def _stream(
    folder: Folder, path: str, number: int, uri: str, told: dict[str, Any], *, iframes: bool
) -> Stream:
    where = f"{path}, {'I-frame ' if iframes else ''}stream {number}"
    return Stream(where, folder.find(uri, where, folder_of(path)), _words(told), iframes)


def _media(folder: Folder, path: str, number: int, told: dict[str, Any]) -> Media:
    where, uri = f"{path}, EXT-X-MEDIA {number}", told.get("uri")
    found = folder.find(uri, where, folder_of(path)) if uri else None
    return Media(where, found, _words(told))


def _words(told: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).strip('"') for name, value in told.items()}
