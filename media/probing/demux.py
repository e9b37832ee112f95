"""Count a container's packets, stream by stream: times, keyframes, bytes, the first frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import av.error

from media.probing.bitstream import h264_length_size, h264_start, vp8_is_shown
from media.probing.formats import ALLOWED_DECODERS

_SEEKS_EXACTLY = ("mov", "matroska")
_PRIMED = ("mov", "matroska", "ogg")
_MOST_SILENT = 16
"""Packets of sound that are decoded at most until one gives a frame: priming takes up to three."""


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
    damaged: int = 0
    """Packets of which the container says that they are not whole, or were garbled on the way."""
    broken: bool = False
    """Whether the last one is such a packet."""
    first_packet: bytes = b""
    first_frame: Any = None
    heard: int | None = None
    """Where the decoder's first sample lies: behind an encoder's delay, which decoders drop."""
    unheard: int = 0
    """Packets of sound that were decoded before that one."""

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
        """Where the stream is first seen or heard, in seconds on the file's clock."""
        return (self.first or 0) * self.time_base

    @property
    def duration_s(self) -> Fraction:
        """From its first packet to the end of its last, in seconds."""
        return (self.end - (self.first or 0)) * self.time_base


def demux(container: Any, demuxer: str) -> dict[int, Track]:
    """Read every packet of picture and sound; nothing but the first frames is decoded."""
    streams = [s for s in container.streams if s.type in ("video", "audio")]
    tracks = {stream.index: Track(stream) for stream in streams}
    for packet in container.demux(streams) if streams else ():
        track = tracks[packet.stream.index]
        _see_first_frame(track, packet)
        _hear_first_frame(track, packet)
        if packet.size == 0 and packet.dts is None:
            continue
        track.size += packet.size
        if packet.is_discard:
            track.hidden += 1
        else:
            _count(track, packet, demuxer)
    for track in tracks.values():
        if track.first is not None and track.heard is not None:
            track.first = _sound_from(track.heard, demuxer)
    return tracks


def _see_first_frame(track: Track, packet: Any) -> None:
    """Rotation, field order and colour are certain only in a decoded frame."""
    if track.stream.type != "video" or track.first_frame is not None:
        return
    try:
        track.first_frame = next(iter(packet.decode()), None)
    except av.error.FFmpegError:
        return  # packets before the first whole picture; the encode counts what is damaged


def _hear_first_frame(track: Track, packet: Any) -> None:
    """A packet's time is not its sound's: MP3 begins with its encoder's delay, which LAME's header
    tells of (25 ms as a rule), and decoders drop it."""
    if track.stream.type != "audio" or track.heard is not None or track.unheard == _MOST_SILENT:
        return
    if track.codec not in ALLOWED_DECODERS:
        return
    track.unheard += 1
    try:
        track.heard = next((frame.pts for frame in packet.decode()), None)
    except av.error.FFmpegError:
        return


def _sound_from(pts: int, demuxer: str) -> int:
    """In these containers sound before zero is an encoder's priming: decoders drop it."""
    return max(0, pts) if demuxer in _PRIMED else pts


def _count(track: Track, packet: Any, demuxer: str) -> None:
    track.first_packet = track.first_packet or bytes(packet)
    if packet.pts is None:
        track.missing_pts += 1
        return
    picture = track.stream.type == "video"
    start = packet.pts if picture else _sound_from(packet.pts, demuxer)
    track.first = start if track.first is None else min(track.first, start)
    track.end = (
        max(track.end, packet.pts + (packet.duration or 0))
        if track.counted
        else (packet.pts + (packet.duration or 0))
    )
    track.counted += 1
    track.broken = packet.is_corrupt
    track.damaged += packet.is_corrupt
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
