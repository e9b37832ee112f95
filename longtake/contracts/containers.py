"""What each container holds, and what it is meant for.

Codecs under FFmpeg's names of them; `pcm` stands for every kind of PCM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Container = Literal[
    "mp4", "mov", "mkv", "webm", "m4a", "mp3", "ogg", "opus", "flac", "wav", "gif", "webp", "avif"
]
Kind = Literal["video", "audio"]


@dataclass(frozen=True)
class Holds:
    """What a container holds. None: anything; empty: nothing of the kind."""

    words: str
    """Its name for people."""
    suffixes: tuple[str, ...]
    video: tuple[str, ...] | None
    audio: tuple[str, ...] | None
    preset: str
    """What is made of a source when nobody says more."""


CONTAINERS: dict[Container, Holds] = {
    "mp4": Holds(
        "MP4",
        (".mp4", ".m4v"),
        ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video"),
        ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"),
        "web-1080p",
    ),
    "mov": Holds(
        "MOV",
        (".mov",),
        (
            *("h264", "hevc", "prores", "mpeg4", "mpeg2video", "mjpeg", "dnxhd", "qtrle", "png"),
            *("dvvideo", "svq1", "cinepak", "cfhd", "v210", "jpeg2000"),
        ),
        ("aac", "pcm", "ac3", "alac", "mp3"),
        "web-1080p",
    ),
    "mkv": Holds("Matroska", (".mkv",), None, None, "web-1080p"),
    "webm": Holds("WebM", (".webm",), ("vp9", "av1", "vp8"), ("opus", "vorbis"), "webm-vp9"),
    "m4a": Holds("M4A", (".m4a",), (), ("aac", "alac", "ac3"), "audio-aac"),
    "mp3": Holds("MP3", (".mp3",), (), ("mp3",), "audio-mp3"),
    "ogg": Holds("Ogg", (".ogg", ".oga"), (), ("opus", "flac", "vorbis"), "audio-opus"),
    "opus": Holds("Ogg Opus", (".opus",), (), ("opus",), "audio-opus"),
    "flac": Holds("FLAC", (".flac",), (), ("flac",), "audio-flac"),
    "wav": Holds("WAV", (".wav",), (), ("pcm",), "audio-wav"),
    "gif": Holds("GIF", (".gif",), ("gif",), (), "gif"),
    "webp": Holds("WebP", (".webp",), ("webp",), (), "webp"),
    "avif": Holds("AVIF", (".avif",), ("av1",), (), "avif"),
}

ANIMATIONS: tuple[Container, ...] = ("gif", "webp", "avif")
"""Images that move: shown over and over, from their first frame on, without sound."""
CHAPTERED: tuple[Container, ...] = (
    *("mp4", "mov", "m4a", "mkv", "webm", "mp3", "ogg", "opus", "flac"),
)
"""Containers that hold chapters."""
OF_ONE_SOUND: tuple[Container, ...] = ("mp3", "flac", "wav")
"""Containers that hold one sound track."""
CAPTIONED: tuple[Container, ...] = ("mp4", "mov", "mkv", "webm")
"""Containers that hold text tracks."""
_ONLY_IN_THEIR_OWN = ("gif", "webp")
"""Codecs that are one with their container."""

CONTAINER_OF_SUFFIX: dict[str, Container] = {
    suffix: name for name, holds in CONTAINERS.items() for suffix in holds.suffixes
}

PRESET_OF_CODEC = {"ffv1": "archive-ffv1", "prores": "mezzanine-prores"}
"""Codecs that mean another purpose than the container's preset serves."""

_ENCODED: dict[Kind, tuple[str, ...]] = {
    "video": ("h264", "hevc", "av1", "vp9", "prores", "ffv1", "gif", "webp"),
    "audio": ("aac", "opus", "mp3", "flac", "pcm", "ac3"),
}


def can_hold(container: Container, kind: Kind, codec: str) -> bool:
    """Whether `container` can hold a stream of `codec`."""
    held = getattr(CONTAINERS[container], kind)
    if held is None:
        return codec not in _ONLY_IN_THEIR_OWN
    return codec in held or (codec.startswith("pcm_") and "pcm" in held)


def why_not(container: Container, kind: Kind, codec: str) -> str | None:
    """Words for a pair that is impossible, naming what is possible; None if it is possible."""
    if can_hold(container, kind, codec):
        return None
    here, others = CONTAINERS[container].words, suffixes_for(kind, codec)
    encoders = [name for name in _ENCODED[kind] if can_hold(container, kind, name)]
    flag = "--video" if kind == "video" else "--audio"
    instead = f"{flag} {', '.join(encoders)}" if encoders else f"{flag} none"
    thing = "picture" if kind == "video" else "sound"
    if not encoders:
        return f"{here} holds no {thing}: write to {others}, or use `{instead}`"
    return f"{here} cannot hold {codec}: write to {others}, or use `{instead}`"


def suffixes_for(kind: Kind, codec: str) -> str:
    """The files that can hold a stream of `codec`, in words: `.mp4, .mkv or .mov`."""
    names = [
        suffix
        for name, holds in CONTAINERS.items()
        if can_hold(name, kind, codec)
        for suffix in holds.suffixes[:1]
    ]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
