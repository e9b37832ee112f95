"""Count a container's packets, stream by stream: times, keyframes, bytes, the first frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import av.error

from media.bitstream import h264_length_size, h264_start, vp8_is_shown

_SEEKS_EXACTLY = ("mov", "matroska")
_PRIMED = ("mov", "matroska", "ogg")


@dataclass
class Track:
    """What was counted of one stream while demuxing."""

    stream: Any
    pts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    size: int = 0
    missing_pts: int = 0
    hidden: int = 0
    leading: int = 0
    """Frames shown before the keyframe that they are stored behind."""
    reordered: int = 0
    """Frames shown before one that is stored before them."""
    greatest: int | None = None
    first: int | None = None
    end: int = 0
    counted: int = 0
    first_packet: bytes = b""
    first_frame: Any = None

    @property
    def codec(self) -> str:
        """FFmpeg's name of the decoder."""
        context = self.stream.codec_context
        return context.name if context else "unknown"

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick."""
        return Fraction(self.stream.time_base)

    @property
    def start_s(self) -> Fraction:
        """Where the stream begins, in seconds on the file's clock."""
        return (self.first or 0) * self.time_base

    @property
    def duration_s(self) -> Fraction:
        """From its first packet to the end of its last, in seconds."""
        return (self.end - (self.first or 0)) * self.time_base


def demux(container: Any, demuxer: str) -> dict[int, Track]:
    """Read every packet of picture and sound; nothing but the first frame is decoded."""
    streams = [s for s in container.streams if s.type in ("video", "audio")]
    tracks = {stream.index: Track(stream) for stream in streams}
    for packet in container.demux(streams) if streams else ():
        track = tracks[packet.stream.index]
        _see_first_frame(track, packet)
        if packet.size == 0 and packet.dts is None:
            continue
        track.size += packet.size
        if packet.is_discard:
            track.hidden += 1
        else:
            _count(track, packet, demuxer)
    return tracks


def _see_first_frame(track: Track, packet: Any) -> None:
    """Rotation, field order and colour are certain only in a decoded frame."""
    if track.stream.type != "video" or track.first_frame is not None:
        return
    try:
        track.first_frame = next(iter(packet.decode()), None)
    except av.error.FFmpegError:
        return  # packets before the first whole picture; the encode counts what is damaged


def _count(track: Track, packet: Any, demuxer: str) -> None:
    track.first_packet = track.first_packet or bytes(packet)
    if packet.pts is None:
        track.missing_pts += 1
        return
    picture = track.stream.type == "video"
    # In these containers sound before zero is an encoder's priming: decoders drop it.
    start = packet.pts if picture or demuxer not in _PRIMED else max(0, packet.pts)
    track.first = start if track.first is None else min(track.first, start)
    track.end = (
        max(track.end, packet.pts + (packet.duration or 0))
        if track.counted
        else (packet.pts + (packet.duration or 0))
    )
    track.counted += 1
    if picture and (track.codec != "vp8" or vp8_is_shown(bytes(packet))):
        track.pts.append(packet.pts)
        track.sizes.append(packet.size)
        track.reordered += track.greatest is not None and packet.pts < track.greatest
        track.leading += bool(track.starts) and packet.pts < track.starts[-1]
        track.greatest = max(packet.pts, track.greatest or packet.pts)
        if packet.is_keyframe:
            _count_keyframe(track, packet, demuxer)


def _count_keyframe(track: Track, packet: Any, demuxer: str) -> None:
    if track.codec != "h264":
        track.starts.append(packet.pts)
        return
    length_size = h264_length_size(track.stream.codec_context.extradata)
    start = h264_start(bytes(packet), length_size)
    if start is not None:
        track.starts.append(packet.pts)
    # Elsewhere FFmpeg may not land on the very keyframe it is asked for.
    if start == "closed" and demuxer in _SEEKS_EXACTLY:
        track.closed.append(packet.pts)
