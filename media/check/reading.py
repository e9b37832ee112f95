"""Read a package: manifests, init segments, segments, captions, and the list of its files.

Touches untrusted files, so it runs in a child process (`media.children.isolate`). It is plain
Python on bytes; nothing is decoded, and no address is followed out of the package.
"""

from __future__ import annotations

import hashlib
import json
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from longtake.errors import InputForbidden, InputNotFound, InvalidJob
from longtake.keys import read_key
from media.check.boxes import Malformed
from media.check.facts import Listed, Package, Piece, Segment, Track
from media.check.folder import Folder
from media.check.inits import read_init
from media.check.manifests import NotAManifest, read_mpd
from media.check.playlists import NotAPlaylist, read_master, read_playlist
from media.check.segments import read_segment
from media.check.webvtt import BadMap, read_captions

MASTER, MPD, LISTING = "master.m3u8", "manifest.mpd", "package.json"


def read_package(path: str) -> Package:
    """Read a folder with `master.m3u8`, `manifest.mpd` or both; or one of these files alone.

    Raises InputNotFound, InputForbidden; InvalidJob if it is no package.
    """
    root, master, mpd = _manifests(Path(path))
    reader = _Reader(Folder(root), Package(root=str(root)))
    try:
        if master:
            reader.read_hls(master)
        if mpd:
            reader.read_dash(mpd)
    except PermissionError as error:
        raise InputForbidden(f"{error.filename} may not be read; check its permissions") from error
    if Path(path).is_dir() and (root / LISTING).is_file():
        reader.read_listing()
    if Path(path).is_dir() and reader.package.is_encrypted:
        reader.look_for_keys()
    return reader.package


def _manifests(path: Path) -> tuple[Path, str | None, str | None]:
    """The root, and the manifests to be read."""
    if not path.exists():
        raise InputNotFound(f"there is no {path}; check the path")
    if path.is_dir():
        master, mpd = ((path / name).is_file() for name in (MASTER, MPD))
        if not master and not mpd:
            raise InvalidJob(
                f"{path} is no package: it holds neither {MASTER} nor {MPD}. If these have other "
                "names, name one of them"
            )
        return path, MASTER if master else None, MPD if mpd else None
    if path.suffix.lower() in (".m3u8", ".m3u"):
        return path.parent, path.name, None
    if path.suffix.lower() == ".mpd":
        return path.parent, None, path.name
    raise InvalidJob(f"{path} is no package; name a folder, a .m3u8 or a .mpd")


_LONGEST_KEY = 64
"""Bytes: hexadecimal digits with white space."""


def _is_key(data: bytes) -> bool:
    try:
        read_key(data)
    except InvalidJob:
        return False
    return True


class _Reader:
    """One pass over a package."""

    def __init__(self, folder: Folder, package: Package) -> None:
        self._folder, self.package = folder, package
        package.findings = folder.findings

    def read_hls(self, path: str) -> None:
        """The master, its playlists, and what these name; I-frames last, for they lie in the
        segments of others."""
        try:
            master = self.package.master = read_master(self._folder, path)
        except NotAPlaylist as error:
            if "media playlist" in str(error):
                raise InvalidJob(f"{path}: {error}") from error
            self._folder.note("hls-syntax", path, str(error))
            return
        streams = sorted(master.streams, key=lambda stream: stream.iframes)
        named = [*(each.path for each in master.media), *(each.path for each in streams)]
        for name in sorted(filter(None, dict.fromkeys(named)), key=named.index):
            self._playlist(name)

    def look_for_keys(self) -> None:
        """Files that would open an encrypted package, whatever they are called."""
        for name in sorted(self._folder.files()):
            data = (self._folder.root / name).open("rb").read(_LONGEST_KEY + 1)
            if len(data) <= _LONGEST_KEY and _is_key(data):
                self._folder.note("key-in-package", name, "its content has the form of a key")

    def _playlist(self, path: str) -> None:
        try:
            playlist = read_playlist(self._folder, path)
        except NotAPlaylist as error:
            self._folder.note("hls-syntax", path, str(error))
            return
        self.package.playlists[path] = playlist
        for number, piece in enumerate(playlist.pieces, 1):
            if playlist.iframes_only:
                self._holder(piece)
            else:
                self._piece(piece, f"{path}, segment {number}")

    def _holder(self, piece: Piece) -> None:
        """The segment in which an I-frame lies, if no other playlist has named it."""
        track = self._track(piece.init) if piece.init else None
        if piece.path and track and not piece.is_opaque:
            self._segment(piece.path, track, None)

    def _piece(self, piece: Piece, where: str) -> None:
        if piece.path is None or piece.segment is None:
            return
        track = self._track(piece.init) if piece.init else None
        if piece.is_opaque:
            begin, end = piece.span or (0, self._size(piece.path))
            self.package.segments[piece.segment] = Segment(piece.path, begin, end - begin)
        elif track:
            self._segment(piece.path, track, piece.span)
        elif piece.init is None:
            self._captions(piece.path, where)

    def _track(self, path: str) -> Track | None:
        if path not in self.package.tracks:
            try:
                track = read_init(self._folder.text(path))
            except (Malformed, ValueError) as error:
                self._folder.note("segment-syntax", path, str(error))
                return None
            self.package.tracks[path] = track
        return self.package.tracks[path]

    def _segment(self, path: str, track: Track, span: tuple[int, int] | None) -> None:
        name = path if span is None else f"{path}@{span[0]}"
        if name in self.package.segments:
            return
        size = self._size(path)
        begin, end = span or (0, size)
        try:
            if not begin < end <= size:
                raise Malformed(f"bytes {begin} to {end} of a file of {size}")
            with (
                (self._folder.root / path).open("rb") as file,
                mmap(file.fileno(), 0, access=ACCESS_READ) as data,
            ):
                segment = read_segment(data, path, track, begin, end)
        except Malformed as error:
            self._folder.note("segment-syntax", name, str(error))
            segment = Segment(path, begin, max(0, min(end, size) - begin))
        self.package.segments[name] = segment

    def _captions(self, path: str, where: str) -> None:
        if path in self.package.captions:
            return
        with (self._folder.root / path).open("rb") as file:
            head = file.read(16)
        if not path.endswith((".vtt", ".webvtt")) and b"WEBVTT" not in head:
            self._folder.note(
                "hls-map", where, f"{path} is no WebVTT, and no EXT-X-MAP goes before"
            )
            return
        try:
            self.package.captions[path] = read_captions(self._folder.text(path), path)
        except BadMap as error:
            self._folder.note("captions-timestamp-map", path, str(error))
        except ValueError as error:
            self._folder.note("captions-syntax", path, str(error))

    def read_dash(self, path: str) -> None:
        """The MPD, and what it names that HLS did not."""
        try:
            mpd = self.package.mpd = read_mpd(self._folder, path)
        except NotAManifest as error:
            self._folder.note("dash-syntax", path, str(error))
            return
        for representation in (each for group in mpd.sets for each in group.representations):
            track = self._track(representation.init) if representation.init else None
            for span in representation.spans:
                if track and span.path:
                    self._segment(span.path, track, None)

    def read_listing(self) -> None:
        """Compare the files with package.json."""
        try:
            listed = _listed(json.loads(self._folder.text(LISTING)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._folder.note("listing-syntax", LISTING, f"{type(error).__name__}: {error}")
            return
        note, there = self._folder.note, self._folder.files()
        for path in sorted(there - {each.path for each in listed} - {MASTER, MPD, LISTING}):
            note("listing-files", path, "it is not listed in package.json")
        for each in listed:
            if each.path not in there:
                note("listing-files", each.path, "package.json lists it, and it is not there")
            elif self._size(each.path) != each.bytes:
                size = self._size(each.path)
                note("listing-size", each.path, f"{size} bytes; package.json says {each.bytes}")
            elif self._sha256(each.path) != each.sha256:
                note("listing-sha256", each.path, "its SHA-256 is not that of package.json")

    def _size(self, path: str) -> int:
        return (self._folder.root / path).stat().st_size

    def _sha256(self, path: str) -> str:
        with (self._folder.root / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(document: Any) -> list[Listed]:
    return [
        Listed(str(each["path"]), int(each["bytes"]), str(each["sha256"]))
        for each in document["files"]
    ]
