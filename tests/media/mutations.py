"""Ways to break a package, one for each rule, or several: what is done to its files."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Change = Callable[[Path], None]

_NOT_SYNC = 0x01010000
"""Flags of a sample that depends on others and is no sync sample."""


@dataclass(frozen=True)
class Mutation:
    """What is done, and the rule that must then be told as broken."""

    rule: str
    change: Change

    def __str__(self) -> str:
        return self.rule


def text(name: str, pattern: str, to: str, count: int = 1) -> Change:
    """Replace in a text file."""

    def change(out: Path) -> None:
        path = out / name
        words, done = re.subn(pattern, to, path.read_text(), count=count, flags=re.MULTILINE)
        assert done, f"{pattern} is not in {name}"
        path.write_text(words)

    return change


def master(pattern: str, to: str = "", count: int = 1) -> Change:
    return text("master.m3u8", pattern, to, count)


def mpd(pattern: str, to: str = "", count: int = 1) -> Change:
    return text("manifest.mpd", pattern, to, count)


def playlist(
    pattern: str, to: str = "", name: str = "v180/playlist.m3u8", count: int = 1
) -> Change:
    return text(name, pattern, to, count)


def data(name: str, change: Callable[[bytearray], bytes | bytearray]) -> Change:
    """Change the bytes of a file."""

    def changed(out: Path) -> None:
        path = out / name
        path.write_bytes(change(bytearray(path.read_bytes())))

    return changed


def added(name: str, content: bytes) -> Change:
    """Put a file there that was not."""

    def change(out: Path) -> None:
        (out / name).write_bytes(content)

    return change


def all_of(*changes: Change) -> Change:
    def change(out: Path) -> None:
        for each in changes:
            each(out)

    return change


def later(name: str, ticks: int) -> Change:
    """Move the decode times (tfdt) of a segment's fragments."""

    def change(found: bytearray) -> bytearray:
        at = found.find(b"tfdt")
        while at >= 0:
            form = ">Q" if found[at + 4] else ">I"
            (time,) = struct.unpack_from(form, found, at + 8)
            struct.pack_into(form, found, at + 8, time + ticks)
            at = found.find(b"tfdt", at + 4)
        return found

    return data(name, change)


def rename_boxes(name: str, *kinds: bytes, to: bytes = b"free") -> Change:
    def change(found: bytearray) -> bytearray:
        for kind in kinds:
            assert kind in found
            found = found.replace(kind, to)
        return found

    return data(name, change)


def drop_fragment(found: bytearray) -> bytearray:
    """Without its last moof and mdat."""
    return found[: found.rindex(b"moof") - 4]


def not_a_sync_sample(found: bytearray, number: int = 0) -> bytearray:
    """Flag the first sample of a fragment as any other."""
    at = -1
    for _ in range(number + 1):
        at = found.index(b"trun", at + 1)
    flags = int.from_bytes(found[at + 5 : at + 8], "big")
    place = at + 12 + (4 if flags & 1 else 0)
    if not flags & 4:
        assert flags & 0x400
        place += (4 if flags & 0x100 else 0) + (4 if flags & 0x200 else 0)
    struct.pack_into(">I", found, place, _NOT_SYNC)
    return found


def second_not_a_sync_sample(found: bytearray) -> bytearray:
    return not_a_sync_sample(found, 1)


def _first_picture(found: bytearray) -> int:
    """Where the first NAL of H.264 lies that is an IDR picture."""
    at = found.index(b"mdat") + 4
    while found[at + 4] & 0x1F != 5:
        at += 4 + int.from_bytes(found[at : at + 4], "big")
    return at + 4


def no_idr(found: bytearray) -> bytearray:
    """Make the first picture of H.264 one of another kind, whatever its flags say."""
    at = _first_picture(found)
    found[at] = found[at] & 0xE0 | 1
    return found


def damage(found: bytearray) -> bytearray:
    """Spoil the coded picture behind its header."""
    at = _first_picture(found) + 60
    found[at : at + 400] = b"\xa5" * 400
    return found


def longer_index(found: bytearray) -> bytearray:
    """Let the first reference of sidx last longer."""
    at = found.index(b"sidx")
    place = at + 8 + 8 + (16 if found[at + 4] else 8) + 4 + 4
    (length,) = struct.unpack_from(">I", found, place)
    struct.pack_into(">I", found, place, length + 5000)
    return found


def faster(found: bytearray) -> bytearray:
    """Three times as many ticks a second."""
    at = found.index(b"mdhd")
    place = at + 8 + (16 if found[at + 4] else 8)
    struct.pack_into(">I", found, place, 3 * struct.unpack_from(">I", found, place)[0])
    return found


def other_pattern(found: bytearray) -> bytearray:
    at = found.index(b"tenc")
    assert found[at + 9] == 0x19
    found[at + 9] = 0x28
    return found


def without_last(out: Path, name: str) -> None:
    """Without the last segment of a playlist."""
    path = out / name
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-3], lines[-1], ""]))


def _extra_file(out: Path) -> None:
    (out / "v180" / "notes.txt").write_text("not listed")


def _listing(out: Path) -> None:
    (out / "package.json").write_text(json.dumps({"paths": []}))


def _copy_of_sound(out: Path, group: str, name: str) -> None:
    """A second EXT-X-MEDIA."""
    path = out / "master.m3u8"
    found = re.search(r"^#EXT-X-MEDIA:TYPE=AUDIO.*$", path.read_text(), re.MULTILINE)
    assert found is not None
    second = found[0].replace('"audio"', f'"{group}"').replace('"Stereo"', f'"{name}"')
    path.write_text(path.read_text().replace(found[0], f"{found[0]}\n{second}"))


FILES = [
    Mutation("uri-outside", master(r"^v90/", "../v90/")),
    Mutation("uri-outside", master(r"^v90/", "https://example.com/v90/")),
    Mutation("uri-outside", playlist(r"^00001", "/etc/00001")),
    Mutation("uri-outside", mpd(r'media="v90/', 'media="file:///v90/')),
    Mutation("uri-outside", lambda out: _link(out, "v90/00002.m4s")),
    Mutation("file-missing", lambda out: (out / "v90" / "00002.m4s").unlink()),
    Mutation("listing-syntax", _listing),
    Mutation("listing-files", _extra_file),
    Mutation("listing-size", text("c/00001.vtt", "First", "The first")),
    Mutation("listing-sha256", text("c/00001.vtt", "First", "Later")),
]


def _link(out: Path, name: str) -> None:
    """A symbolic link out of the package."""
    moved = out.parent / "elsewhere"
    (out / name).rename(moved)
    (out / name).symlink_to(moved)


PLAYLISTS = [
    Mutation("hls-syntax", playlist(r"^#EXTM3U\n")),
    Mutation("hls-syntax", playlist(r"^#EXTINF:3?4?.*\n")),
    Mutation("hls-syntax", playlist(r"#EXTINF:4", "#EXTINF:four")),
    Mutation("hls-syntax", playlist(r"^#EXT-X-TARGETDURATION.*\n")),
    Mutation("hls-once", playlist(r"^(#EXT-X-TARGETDURATION.*\n)", r"\1\1")),
    Mutation("hls-version", playlist("VERSION:6", "VERSION:3")),
    Mutation("hls-version", playlist("VERSION:6", "VERSION:3", "v180/iframes.m3u8")),
    Mutation("hls-vod", playlist(r"^#EXT-X-ENDLIST\n")),
    Mutation("hls-vod", playlist(r"^#EXT-X-PLAYLIST-TYPE.*\n")),
    Mutation("hls-map", playlist(r"^#EXT-X-MAP.*\n")),
    Mutation("hls-target-duration", playlist("TARGETDURATION:5", "TARGETDURATION:3")),
    Mutation("hls-target-duration-same", playlist("DURATION:5", "DURATION:6", "a/playlist.m3u8")),
    Mutation("hls-segment-too-long", playlist("TARGETDURATION:5", "TARGETDURATION:3")),
    Mutation("hls-extinf", playlist("EXTINF:4.004", "EXTINF:4.104")),
    Mutation("hls-extinf", playlist("EXTINF:4.004", "EXTINF:4.024", count=2)),
]
_PICTURE = r"(#EXT-X-STREAM-INF.*?)"
MASTER = [
    Mutation("hls-attributes", master(_PICTURE + r",AVERAGE-BANDWIDTH=\d+", r"\1")),
    Mutation("hls-attributes", master(_PICTURE + r"BANDWIDTH=\d+,AV", r"\1AV")),
    Mutation("hls-attributes", master(_PICTURE + r',CODECS="[^"]*"', r"\1")),
    Mutation("hls-attributes", master(_PICTURE + r",RESOLUTION=\w+", r"\1")),
    Mutation("hls-attributes", master(_PICTURE + r",FRAME-RATE=[\d.]+", r"\1")),
    Mutation("hls-attributes", master(r"(I-FRAME-STREAM.*),RESOLUTION=\w+", r"\1")),
    Mutation("hls-codecs", master(r"avc1\.64000d", "avc1.64001f")),
    Mutation("hls-codecs", master(r"mp4a\.40\.2", "mp4a.40.5")),
    Mutation("hls-codecs", master(r",mp4a\.40\.2")),
    Mutation("hls-codecs", master(r"(I-FRAME.*)avc1\.64000d", r"\1avc1.4d001f")),
    Mutation("hls-resolution", master("(I-FRAME.*)320x180", r"\g<1>640x360")),
    Mutation("hls-resolution", master("320x180", "336x180")),
    Mutation("hls-frame-rate", master("29.970", "30.000")),
    Mutation("hls-frame-rate-60", data("v180/init.mp4", faster)),
    Mutation("hls-video-range", master("VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")),
    Mutation("hls-bandwidth", master(r"BANDWIDTH=\d+", "BANDWIDTH=400000")),
    Mutation("hls-bandwidth", master(r"(I-FRAME.*?)BANDWIDTH=\d+", r"\1BANDWIDTH=9000")),
    Mutation("hls-bandwidth-over", master(r"BANDWIDTH=\d+", "BANDWIDTH=600000")),
    Mutation("hls-average-bandwidth", master(r"AVERAGE-BANDWIDTH=\d+", "AVERAGE-BANDWIDTH=300000")),
    Mutation(
        "hls-peak",
        data("v180/00002.m4s", lambda found: found + struct.pack(">I4s", 1 << 23, b"free")
             + bytes((1 << 23) - 8)),
    ),
    Mutation("hls-independent", master(r"^#EXT-X-INDEPENDENT-SEGMENTS\n")),
    Mutation("hls-group", master(r'AUDIO="audio"', 'AUDIO="other"')),
    Mutation("hls-group", master(r'SUBTITLES="text"', 'SUBTITLES="other"')),
    Mutation("hls-groups-alike", lambda out: _copy_of_sound(out, "more", "Surround")),
    Mutation("hls-media-attributes", master(r'(AUDIO.*),LANGUAGE="en"', r"\1")),
    Mutation("hls-media-attributes", master(r'(AUDIO.*),CHANNELS="2"', r"\1")),
    Mutation("hls-media-attributes", master(r'URI="c/playlist.m3u8",')),
    Mutation("hls-media-name", lambda out: _copy_of_sound(out, "audio", "Stereo")),
    Mutation("hls-media-default", lambda out: _copy_of_sound(out, "audio", "Surround")),
    Mutation("hls-media-default", master("AUTOSELECT=YES", "AUTOSELECT=NO")),
    Mutation("hls-no-default", master("DEFAULT=YES", "DEFAULT=NO")),
    Mutation("hls-channels", master('CHANNELS="2"', 'CHANNELS="6"')),
    Mutation("hls-several-rates", master(r"^#EXT-X-STREAM-INF.*\nv90.*\n")),
    Mutation("hls-aspect", master("320x180", "320x240")),
    Mutation("hls-profile", master(r"avc1\.64000d", "avc1.64003c")),
    Mutation("hls-compatible", master(r"avc1", "hvc1", count=0)),
    Mutation("hls-aac", master(r"mp4a\.40\.2", "ac-3", count=0)),
    Mutation("iframe-missing", master(r"^#EXT-X-I-FRAME.*\n", count=0)),
]  # fmt: skip
SEGMENTS = [
    Mutation("segment-syntax", data("v180/00002.m4s", lambda found: found[:-10])),
    Mutation("segment-syntax", data("v180/00002.m4s", lambda found: found[:20])),
    Mutation("segment-syntax", rename_boxes("v180/00002.m4s", b"tfdt")),
    Mutation("segment-syntax", data("v180/init.mp4", lambda found: found[:-30])),
    Mutation("segment-continuity", later("v180/00002.m4s", 30_000)),
    Mutation("segment-continuity", later("a/00002.m4s", -1024)),
    Mutation("segment-continuity", data("v180/00002.m4s", drop_fragment)),
    Mutation("segment-drift", later("v180/00002.m4s", 10)),
    Mutation("segment-keyframe", data("v180/00002.m4s", not_a_sync_sample)),
    Mutation("segment-keyframe", data("v180/00002.m4s", no_idr)),
    Mutation("segment-alignment", later("v90/00002.m4s", 5000)),
    Mutation(
        "segment-alignment", lambda out: without_last(out, "v90/playlist.m3u8")
    ),
    Mutation("segment-alignment-sound", later("a/00002.m4s", 4800)),
    Mutation("keyframe-interval", data("v180/00001.m4s", second_not_a_sync_sample)),
    Mutation("track-start", all_of(*(later(f"v90/0000{n}.m4s", 9009) for n in (1, 2, 3)))),
    Mutation("track-start-sound", all_of(*(later(f"a/0000{n}.m4s", 9600) for n in (1, 2, 3)))),
    Mutation("track-duration", lambda out: without_last(out, "v90/playlist.m3u8")),
    Mutation("track-duration-sound", lambda out: without_last(out, "a/playlist.m3u8")),
    Mutation("sample-entry", rename_boxes("v180/init.mp4", b"avc1", to=b"avc3")),
]  # fmt: skip
_FRAMES = "v180/iframes.m3u8"
IFRAMES = [
    Mutation("iframe-playlist", playlist(r"^#EXT-X-I-FRAMES-ONLY\n", "", _FRAMES)),
    Mutation("iframe-playlist", playlist(r"^#EXT-X-BYTERANGE.*\n", "", _FRAMES)),
    Mutation("iframe-range", playlist(r"BYTERANGE:\d+@", "BYTERANGE:900000@", _FRAMES)),
    Mutation("iframe-range", playlist(r"BYTERANGE:\d+@", "BYTERANGE:1000@", _FRAMES)),
    Mutation("iframe-range", playlist(r"(BYTERANGE:\d)(\d+@)", r"\g<1>9\2", _FRAMES)),
    Mutation("iframe-range", playlist(r"@(\d+)1$|@(\d+)\d$", r"@\1\g<2>7", _FRAMES)),
    Mutation("iframe-range", data("v180/00001.m4s", second_not_a_sync_sample)),
    Mutation("iframe-extinf", playlist("EXTINF:2.002", "EXTINF:1.002", _FRAMES)),
    Mutation("iframe-decode", data("v180/00001.m4s", damage)),
]
CAPTIONS = [
    Mutation("captions-syntax", text("c/00001.vtt", "WEBVTT", "WEBTVT")),
    Mutation("captions-syntax", text("c/00001.vtt", "-->", "->")),
    Mutation("captions-syntax", text("c/00001.vtt", r"00:00:01\.000", "00:00:09.000")),
    Mutation("captions-timestamp-map", text("c/00001.vtt", "WEBVTT", "WEBVTT\nX-TIMESTAMP-MAP=0")),
    Mutation(
        "captions-timestamp-map",
        all_of(*(later(f"{t}/0000{n}.m4s", 300_000) for t in ("v180", "v90") for n in (1, 2, 3))),
    ),
    Mutation("captions-cues", text("c/00001.vtt", r"00:00:02\.500\b.*", "00:00:02.900\nx\n\n"
                                   "00:00:07.000 --> 00:00:08.000")),
    Mutation("captions-cues", text("c/00002.vtt", r"00:00:03(.|\n)*segments\n\n", "")),
    Mutation("captions-cover", lambda out: without_last(out, "c/playlist.m3u8")),
    Mutation("captions-cover", playlist(r"EXTINF:1\.009", "EXTINF:4.000", "c/playlist.m3u8")),
]  # fmt: skip
DASH = [
    Mutation("dash-syntax", mpd("</MPD>")),
    Mutation("dash-syntax", mpd("<MPD", '<!DOCTYPE MPD [<!ENTITY a "b">]>\n<MPD')),
    Mutation("dash-syntax", mpd(r"Period", "Time", count=0)),
    Mutation("dash-static", mpd('type="static"', 'type="dynamic"')),
    Mutation("dash-static", mpd(r'minBufferTime="\w+"')),
    Mutation("dash-period", mpd("</Period>", '</Period><Period id="1"></Period>')),
    Mutation("dash-period", mpd('<Period id="0"', '<Period id="0" start="PT5S"')),
    Mutation("dash-duration", mpd("PT9.009S", "PT9.109S")),
    Mutation("dash-cover", mpd("PT9.009S", "PT20S")),
    Mutation("dash-addressing", mpd('timescale="30000" ')),
    Mutation("dash-addressing", mpd(r"<SegmentTimeline>(.|\n)*?</SegmentTimeline>", "")),
    Mutation("dash-timeline", mpd('d="30030"', 'd="60060"')),
    Mutation("dash-timeline", later("a/00002.m4s", 4800)),
    Mutation("dash-gap", mpd('t="240240"', 't="250250"')),
    Mutation("dash-sidx", data("v180/00001.m4s", longer_index)),
    Mutation("dash-bandwidth", mpd(r'bandwidth="\d+"', 'bandwidth="200000"')),
    Mutation("dash-codecs", mpd(r"avc1\.64000d", "avc1.64001f")),
    Mutation("dash-mime", mpd("video/mp4", "video/webm")),
    Mutation("dash-picture", mpd('width="160"', 'width="176"')),
    Mutation("dash-picture", mpd("30000/1001", "30")),
    Mutation("dash-sound", mpd('audioSamplingRate="48000"', 'audioSamplingRate="44100"')),
    Mutation("dash-sound", mpd(r'2011" value="2"', '2011" value="6"')),
    Mutation("dash-lang", mpd('contentType="audio" lang="en"', 'contentType="audio"')),
    Mutation("dash-sets", mpd('Representation id="1"', 'Representation id="0"')),
    Mutation("dash-sets", mpd('segmentAlignment="true"')),
    Mutation("dash-sets", mpd('initialization="v180/init.mp4"', 'initialization="a/init.mp4"')),
    Mutation("same-segments", mpd('<S t="240240" d="30030"/>')),
    Mutation("same-segments", master(r"^#EXT-X-STREAM-INF.*\nv90.*\n")),
]  # fmt: skip
PLAIN = [*FILES, *PLAYLISTS, *MASTER, *SEGMENTS, *IFRAMES, *CAPTIONS, *DASH]
_KEY = r"METHOD=SAMPLE-AES,"
ENCRYPTED = [
    Mutation("hls-key", playlist(_KEY, "METHOD=SAMPLE-DES,")),
    Mutation("hls-key", playlist(r"IV=0x\w+", "IV=0x1234")),
    Mutation("hls-key", playlist(r',URI="[^"]*"')),
    Mutation("hls-key-ctr", playlist(_KEY, "METHOD=SAMPLE-AES-CTR,")),
    Mutation("key-in-package", added("a/k.txt", b"%032x\n" % 0x5EC12E7)),
    Mutation("key-in-package", added("key", bytes(range(16)))),
    Mutation("key-in-package", playlist(r'URI="https[^"]*"', 'URI="key.bin"')),
    Mutation("key-in-package", playlist(r'URI="https[^"]*"', 'URI="data:;base64,AAAA"')),
    Mutation("encryption-boxes", playlist(r"^#EXT-X-KEY.*\n")),
    Mutation("encryption-boxes", playlist(_KEY, "METHOD=SAMPLE-AES-CTR,")),
    Mutation("encryption-boxes", rename_boxes("v180/00001.m4s", b"senc", b"saiz", b"saio")),
    Mutation("encryption-iv", playlist(r"IV=0x\w+", f"IV=0x{'5' * 32}")),
    Mutation("encryption-pattern", data("v180/init.mp4", other_pattern)),
    Mutation("encryption-size", playlist(_KEY, "METHOD=AES-128,")),
    Mutation("dash-protection", mpd(r'value="cbcs"', 'value="cenc"')),
    Mutation("dash-default-kid", mpd(r'default_KID="00112233', 'default_KID="99112233')),
    Mutation("dash-default-kid", mpd(r'cenc:default_KID="[^"]*"', "", count=0)),
]
