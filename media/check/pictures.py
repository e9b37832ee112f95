"""Decode keyframes: each on its own, by the decoder that its init segment names.

Opens untrusted bytes with PyAV, so it runs in a child process (`media.isolate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from media.check.facts import Picture

DECODERS = {
    "avc1": "h264",
    "avc3": "h264",
    "hvc1": "hevc",
    "hev1": "hevc",
    "av01": "libdav1d",
    "vp09": "vp9",
}
"""By sample entry."""


@dataclass(frozen=True)
class Keyframe:
    """Where a coded picture lies."""

    path: str
    begin: int
    size: int


def decode(entry: str, config: bytes, frames: tuple[Keyframe, ...]) -> list[Picture | str]:
    """The picture of each keyframe; words where it does not decode to exactly one."""
    context: Any = av.CodecContext.create(DECODERS[entry], "r")
    context.extradata = config or None
    context.thread_count = 1
    return [_one(context, frame) for frame in frames]


def _one(context: Any, frame: Keyframe) -> Picture | str:
    with Path(frame.path).open("rb") as file:
        file.seek(frame.begin)
        data = file.read(frame.size)
    try:
        pictures = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.error.FFmpegError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    finally:
        context.flush_buffers()
    if len(pictures) != 1:
        return f"it decodes to {len(pictures)} pictures"
    (picture,) = pictures
    if picture.is_corrupt:
        return "the decoder calls its picture damaged"
    return Picture(picture.width, picture.height, int(picture.color_trc))
