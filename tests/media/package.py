"""Tracks to package, made with the engine's FFmpeg; and what is in a package, read on its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from longtake.contracts.package import Encryption
from media.package.packaging import make_package
from media.package.renditions import Text, Track
from media.transcode.video import CMAF
from tests.media.engine import no_tick, run

DASH = {"": "urn:mpeg:dash:schema:mpd:2011"}
SEGMENT_S, GOP_S = 4, 2
KEY = bytes.fromhex("00c4a1f67e0d4b3f9a5588c2e1b7d603")
_RATE = Fraction(30000, 1001)


def picture(
    target: Path, *, size: str = "160x90", length_s: float = 9.5, late_s: float = 0
) -> Path:
    """A CMAF track with B-frames, its keyframes the first frames at or after each even second."""
    filters = f"setpts=PTS+{late_s}/TB"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r={_RATE}:d={length_s}", "-vf", filters),
        *("-enc_time_base", "demux", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-threads", "1"),
        *("-force_key_frames", f"expr:gte(t,n_forced*{GOP_S})", "-f", "mp4", *CMAF, target),
    )
    return target


def sound(target: Path, *, hz: int = 440, channels: int = 2, length_s: float = 9.5) -> Path:
    """AAC in a plain MP4, as the engine makes it."""
    tone = f"sine={hz}:r=48000:d={length_s}"
    run("-f", "lavfi", "-i", tone, "-ac", channels, "-c:a", "aac", "-f", "mp4", *_EXACT, target)
    return target


_EXACT = ("-fflags", "+bitexact", "-flags:a", "+bitexact")


def encryption(scheme: Any) -> Encryption:
    return Encryption(scheme=scheme, key="key.hex", key_uri="https://keys.example/1?a=b,c")


async def package(
    target: Path, tracks: Sequence[Track], texts: Sequence[Text] = (), scheme: Any = None
) -> Path:
    """Package into the new folder `target`, encrypted with KEY where a scheme is named."""
    await make_package(
        tracks,
        texts,
        segment_s=SEGMENT_S,
        gop_s=GOP_S,
        encryption=encryption(scheme) if scheme else None,
        key=KEY if scheme else None,
        target=_new(target),
        on_tick=no_tick,
    )
    return target


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def folder(package: Path, name: str) -> Path:
    """The folder of the rendition called `name`."""
    found = [
        path for path in package.iterdir() if re.fullmatch(rf"{name}-[0-9a-f]{{12}}", path.name)
    ]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


@dataclass
class Playlist:
    """A playlist, read by what the specification says and nothing of ours."""

    tags: dict[str, str] = field(default_factory=dict)
    segments: list[tuple[Fraction, str]] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """First byte, and byte behind the last."""
    told: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Of a master: tag, attributes, and the address, on the next line or among them."""


def read_playlist(path: Path) -> Playlist:
    found, lines = Playlist(), path.read_text("utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    last: tuple[str, dict[str, str]] | None = None
    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag in ("#EXT-X-STREAM-INF", "#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF"):
            last = (tag, attributes(value))
            if "URI" in last[1]:
                found.told.append((*last, last[1]["URI"]))
        elif tag == "#EXTINF":
            duration_s = Fraction(value.rstrip(","))
        elif tag == "#EXT-X-BYTERANGE":
            size, _, at = value.partition("@")
            found.ranges.append((int(at), int(at) + int(size)))
        elif line.startswith("#"):
            found.tags[tag] = value
        elif line and last is not None:
            found.told.append((*last, line))
        elif line:
            found.segments.append((duration_s, line))
    return found


def attributes(value: str) -> dict[str, str]:
    pairs = re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', value)
    return {name: text.strip('"') for name, text in pairs}


def joined(folder: Path, target: Path) -> Path:
    """The init segment and all segments of a rendition, in the playlist's order, as one file."""
    playlist = read_playlist(folder / "playlist.m3u8")
    init = attributes(playlist.tags["#EXT-X-MAP"])["URI"]
    parts = [folder / init, *(folder / name for _, name in playlist.segments)]
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def packet_times(path: Path) -> list[Fraction]:
    """When the packets of a file's only stream are shown, in seconds."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams[0])
        return sorted(each.pts * each.time_base for each in packets if each.pts is not None)


def tree(package: Path) -> dict[str, str]:
    """Every file of a package and its hash."""
    return {
        path.relative_to(package).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(package.rglob("*"))
        if path.is_file()
    }


def made_tracks(folder: Path) -> list[Track]:
    """Two rungs, English in stereo and 5.1, German in stereo; in a folder of an awkward name."""
    made = folder / "a,b=c $Number$ 'd'"
    made.mkdir()
    return [
        Track(picture(made / "low.mp4"), "h264-90p", "video"),
        Track(picture(made / "high.mp4", size="320x180"), "h264-180p", "video"),
        Track(sound(made / "en.m4a"), "audio-en", "audio", "en", "English", default=True),
        Track(sound(made / "de.m4a", hz=300), "audio-de", "audio", "de", "Deutsch"),
        Track(
            sound(made / "en51.m4a", channels=6, length_s=5),
            "audio-en-51",
            "audio",
            "en",
            group="audio-51",
        ),
    ]
