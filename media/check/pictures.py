"""Decode keyframes: each on its own, by the decoder that its init segment names.

Opens untrusted bytes with PyAV, so it runs in a child process (`media.children.isolate`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import av.error

from media.check.codecs import DECODERS
from media.check.facts import Keyframe, Picture
from media.probing.formats import MAX_PIXELS
from media.probing.light import read_light


def decode(entry: str, config: bytes, frames: tuple[Keyframe, ...]) -> list[Picture | str]:
    """The picture of each keyframe; words where it does not decode to exactly one."""
    context: Any = av.CodecContext.create(DECODERS[entry], "r")
    context.extradata = config or None
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}
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
    return Picture(
        width=picture.width,
        height=picture.height,
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        is_interlaced=bool(picture.interlaced_frame),
        has_light=read_light(picture) is not None,
    )
