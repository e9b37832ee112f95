"""What browsers are told an object is. A table of our own: the system's differs between hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/matroska",
    ".webm": "video/webm",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".oga": "audio/ogg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".json": "application/json",
    ".vtt": "text/vtt",
    # RFC 8216bis, section 10; ISO/IEC 23009-1, annex C; segments: its section 7 and RFC 4337.
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
}


@dataclass(frozen=True)
class Served:
    """What browsers and caches are told of an object."""

    content_type: str
    cache_control: str | None = None


def content_type(name: str) -> str:
    """Media type of a file name, by its suffix."""
    return _TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
