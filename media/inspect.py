"""Look into a media file by demuxing it: facts for people and plans, and the packet index.

Opens untrusted files with PyAV, so it runs in a child process (`media.isolate`), or as a
program of its own: `python -m media.inspect FILE` prints the facts as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error

from longtake.contracts.media import AudioFacts, MediaFacts, OtherStream, VideoFacts
from longtake.errors import InputCorrupt, InputTooLarge, InputUnsupported, LongtakeError
from media.bitstream import h264_can_start, h264_length_size, vp8_is_shown, x264_build
from media.formats import ALLOWED_DECODERS, ALLOWED_DEMUXERS, sniff
from media.index import Index

MAX_PIXELS = 8192 * 8192
MAX_STREAMS = 64
_CODEC_NAMES = {"libdav1d": "av1", "mp3float": "mp3", "mp2float": "mp2", "libopus": "opus"}
_PRIMED = ("mov", "matroska", "ogg")
_LENGTH_IN_HEADER = ("mov", "matroska", "avi", "flv")
FIXED_4_4_4 = 151
"""From this build on, x264's 4:4:4 streams decode without the message in their first frame."""


@dataclass
class _Track:
    """What was counted of one stream while demuxing."""

    stream: Any
    pts: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    size: int = 0
    missing_pts: int = 0
    first: int | None = None
    end: int = 0
    counted: int = 0
    first_packet: bytes = b""
    first_frame: Any = None

    @property
    def codec(self) -> str:
        context = self.stream.codec_context
        return context.name if context else "unknown"

    @property
    def time_base(self) -> Fraction:
        return Fraction(self.stream.time_base)

    @property
    def start_s(self) -> Fraction:
        return (self.first or 0) * self.time_base

    @property
    def duration_s(self) -> Fraction:
        return (self.end - (self.first or 0)) * self.time_base


def inspect(path: str) -> tuple[MediaFacts, Index | None]:
    """Facts of a file, and the index of its first picture stream (None without one).

    Raises InputNotFound, InputForbidden, InputUnsupported, InputCorrupt, InputTooLarge.
    """
    file = Path(path)
    demuxer = sniff(file)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(ALLOWED_DEMUXERS),
        "codec_whitelist": ",".join(ALLOWED_DECODERS),
    }
    try:
        with av.open(f"file:{path}", format=demuxer, options=options) as container:
            _check_size(container, path)
            tracks = _demux(container, demuxer)
            return _describe(file, container, demuxer, tracks)
    except (av.error.FFmpegError, ValueError, RuntimeError) as error:
        raise InputCorrupt(
            f"{path} cannot be read as {demuxer}: {_words(error)}. It may be cut off or damaged; "
            "try to play it, and upload it again"
        ) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _check_size(container: Any, path: str) -> None:
    if len(container.streams) > MAX_STREAMS:
        raise InputTooLarge(
            f"{path} has {len(container.streams)} streams; at most {MAX_STREAMS} are read"
        )
    for stream in container.streams.video:
        if stream.width * stream.height > MAX_PIXELS:
            raise InputTooLarge(
                f"{path} has a picture of {stream.width}x{stream.height}; at most "
                f"{MAX_PIXELS:,} pixels are decoded"
            )


def _demux(container: Any, demuxer: str) -> dict[int, _Track]:
    streams = [s for s in container.streams if s.type in ("video", "audio")]
    tracks = {stream.index: _Track(stream) for stream in streams}
    for packet in container.demux(streams) if streams else ():
        track = tracks[packet.stream.index]
        _see_first_frame(track, packet)
        if packet.size == 0 and packet.dts is None:
            continue
        track.size += packet.size
        if not packet.is_discard:
            _count(track, packet, demuxer)
    return tracks


def _see_first_frame(track: _Track, packet: Any) -> None:
    """Rotation, field order and colour are certain only in a decoded frame."""
    if track.stream.type != "video" or track.first_frame is not None:
        return
    try:
        track.first_frame = next(iter(packet.decode()), None)
    except av.error.FFmpegError:
        return  # packets before the first whole picture; the encode counts what is damaged


def _count(track: _Track, packet: Any, demuxer: str) -> None:
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
        if packet.is_keyframe and _can_start(track, packet):
            track.starts.append(packet.pts)


def _can_start(track: _Track, packet: Any) -> bool:
    if track.codec != "h264":
        return True
    return h264_can_start(bytes(packet), h264_length_size(track.stream.codec_context.extradata))


def _describe(
    file: Path, container: Any, demuxer: str, tracks: dict[int, _Track]
) -> tuple[MediaFacts, Index | None]:
    pictures = [t for t in tracks.values() if t.stream.type == "video" and not _is_cover(t.stream)]
    sounds = [t for t in tracks.values() if t.stream.type == "audio" and t.first is not None]
    if not any(t.pts or t.missing_pts for t in pictures) and not sounds:
        raise InputUnsupported(f"{file} holds neither picture nor sound")
    origin = min(
        (t.start_s for t in (*pictures, *sounds) if t.first is not None), default=Fraction()
    )
    _check_complete(file, container, demuxer, [*pictures, *sounds], origin)
    indexes = [_index(t, demuxer, origin) for t in pictures]
    end = max((t.start_s + t.duration_s for t in (*pictures, *sounds)), default=origin)
    facts = MediaFacts(
        container=demuxer,
        duration_s=_rounded(end - origin),
        start_s=_rounded(origin),
        bytes=file.stat().st_size,
        video=tuple(_video(t, i) for t, i in zip(pictures, indexes, strict=True)),
        audio=tuple(_audio(t) for t in sounds),
        other=tuple(_others(container, tracks)),
        tags={k: v[:500] for k, v in list(container.metadata.items())[:50]},
        warnings=tuple(_warnings(indexes)),
    )
    return facts, indexes[0] if indexes else None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_complete(
    file: Path, container: Any, demuxer: str, tracks: list[_Track], origin: Fraction
) -> None:
    """The header promises a length; a file that stopped being written keeps less."""
    if demuxer not in _LENGTH_IN_HEADER or not container.duration:
        return  # elsewhere FFmpeg estimates the length from the bit rate
    promised = Fraction(container.duration, av.time_base)
    found = max((t.start_s + t.duration_s for t in tracks if t.first is not None), default=origin)
    if demuxer != "matroska":  # whose duration is a time on its clock, not a length
        found -= origin
    if promised - found > max(Fraction(1), promised / 50):
        raise InputCorrupt(
            f"{file} promises {float(promised):.1f} s and ends after {float(found):.1f} s: "
            "the end is missing. Upload it again"
        )


def _index(track: _Track, demuxer: str, origin: Fraction) -> Index:
    pts = tuple(sorted(track.pts))
    return Index(
        stream=track.stream.index,
        time_base=track.time_base,
        pts=pts,
        keyframes=tuple(sorted(set(track.starts))),
        end_pts=max(track.end, pts[-1] + 1 if pts else 0),
        origin_s=origin,
        unreliable=_why_unreliable(track, demuxer, pts),
    )


def _why_unreliable(track: _Track, demuxer: str, pts: tuple[int, ...]) -> str | None:
    """Sources whose chunks are known to lie, as measured; None for all others."""
    context, codec = track.stream.codec_context, track.codec
    if track.missing_pts:
        return f"{track.missing_pts} packets have no timestamp"
    if len(set(pts)) != len(pts):
        return "two frames have the same timestamp"
    if demuxer == "avi" and codec == "h264":
        return "H.264 in AVI does not say when its frames are shown"
    if demuxer == "flv":
        return "chunks of FLV are not proven"
    if codec == "h264" and context.pix_fmt and context.pix_fmt.startswith("yuv444"):
        build = x264_build(track.first_packet + (context.extradata or b""))
        if build is not None and build < FIXED_4_4_4:
            return f"4:4:4 of x264 build {build} decodes only from its first frame"
    return None


def _video(track: _Track, index: Index) -> VideoFacts:
    stream, context, frame = track.stream, track.stream.codec_context, track.first_frame
    steps = [b - a for a, b in pairwise(index.pts)]
    return VideoFacts(
        index=stream.index,
        codec=_CODEC_NAMES.get(track.codec, track.codec),
        profile=stream.profile,
        width=context.width,
        height=context.height,
        pixel_format=context.pix_fmt or "unknown",
        frame_rate=_frame_rate(index, steps),
        frames=len(index.pts) or track.missing_pts,
        start_s=_rounded(track.start_s),
        duration_s=_rounded(track.duration_s),
        time_base=index.time_base,
        bitrate_bps=_bitrate(track),
        rotation=int(-frame.rotation) % 360 if frame else 0,
        sample_aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        color_range=_color(context.color_range, _RANGES),
        color_primaries=_color(context.color_primaries, _PRIMARIES),
        color_transfer=_color(context.color_trc, _TRANSFERS),
        color_space=_color(context.colorspace, _MATRICES),
        interlaced=bool(frame and frame.interlaced_frame),
        variable_frame_rate=_is_variable(steps, index.time_base),
        keyframes=len(index.keyframes),
        longest_gop_s=_rounded(_longest_gop(index)),
    )


# ITU-T H.273, tables 2 to 4, under FFmpeg's names.
_RANGES = {1: "limited", 2: "full"}
_PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 12: "smpte432"}
_TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
_MATRICES = {0: "gbr", 1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc", 10: "bt2020c"}


def _color(value: Any, names: dict[int, str]) -> str | None:
    return names.get(int(value)) if value is not None else None


_STANDARD_RATES = (
    *(Fraction(rate, 1001) for rate in (24_000, 30_000, 60_000)),
    *(Fraction(rate) for rate in (24, 25, 30, 50, 60)),
)


def _frame_rate(index: Index, steps: list[int]) -> Fraction | None:
    """Average frames per second; a standard rate where the difference is only rounding."""
    if not steps:
        return None
    average = len(steps) / ((index.pts[-1] - index.pts[0]) * index.time_base)
    for rate in _STANDARD_RATES:
        if abs(average - rate) * 2000 < rate:
            return rate
    return average.limit_denominator(1001)


def _is_variable(steps: list[int], time_base: Fraction) -> bool:
    """Steps that differ by more than rounding to the time base and one millisecond explains."""
    if len(steps) < 2:
        return False
    usual = statistics.median_low(steps)
    slack = max(1, int(Fraction(1, 500) / time_base))
    return sum(abs(step - usual) > slack for step in steps) > len(steps) // 100


def _longest_gop(index: Index) -> Fraction:
    starts = (*index.keyframes, index.end_pts)
    if not index.keyframes:
        return Fraction(0)
    longest = max(b - a for a, b in pairwise(starts))
    return longest * index.time_base


def _bitrate(track: _Track) -> int | None:
    return int(track.size * 8 / track.duration_s) if track.duration_s > 0 else None


def _audio(track: _Track) -> AudioFacts:
    stream, context = track.stream, track.stream.codec_context
    return AudioFacts(
        index=stream.index,
        codec=_CODEC_NAMES.get(track.codec, track.codec),
        profile=stream.profile,
        channels=context.channels,
        layout=context.layout.name,
        sample_rate=context.sample_rate,
        start_s=_rounded(track.start_s),
        duration_s=_rounded(track.duration_s),
        bitrate_bps=_bitrate(track),
        language=stream.metadata.get("language"),
        title=stream.metadata.get("title"),
        default=bool(stream.disposition & av.stream.Disposition.default),
    )


def _others(container: Any, tracks: dict[int, _Track]) -> list[OtherStream]:
    kinds = {"subtitle": "subtitle", "data": "data", "attachment": "attachment"}
    found = []
    for stream in container.streams:
        cover = stream.type == "video" and _is_cover(stream)
        if stream.index in tracks and not cover:
            continue
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        kind = "cover" if cover else kinds.get(stream.type, "unknown")
        found.append(OtherStream(index=stream.index, kind=kind, codec=codec))  # type: ignore[arg-type]
    return found


def _warnings(indexes: list[Index]) -> list[str]:
    return [f"encoded in one piece: {i.unreliable}" for i in indexes if i.unreliable]


def _rounded(seconds: Fraction) -> float:
    return round(float(seconds), 6)


def main(path: str) -> int:
    """Print the facts of a file, or the error, as one JSON document."""
    try:
        facts, _ = inspect(path)
    except LongtakeError as error:
        failure = {"error": {"type": type(error).__name__, "message": str(error)}}
        sys.stdout.write(json.dumps(failure) + "\n")
        return 1
    sys.stdout.write(facts.model_dump_json(indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
