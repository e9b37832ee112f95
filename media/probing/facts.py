"""Facts of a stream, from what was counted of it."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av

from longtake.contracts.containers import OF_ONE_SOUND
from longtake.contracts.media import AudioFacts, VideoFacts
from longtake.languages import from_file
from media.probing.demux import Track
from media.probing.index import Index
from media.probing.light import in_words, peak_nits, read_light

_CODEC_NAMES = {
    "libdav1d": "av1",
    "mp3float": "mp3",
    "mp2float": "mp2",
    "libopus": "opus",
    "flv": "flv1",
    "amrnb": "amr_nb",
    "amrwb": "amr_wb",
}
"""Of decoders that are not called as the codec is."""


def rounded(seconds: Fraction) -> float:
    """Seconds for people: to the microsecond."""
    return round(float(seconds), 6)


def video_facts(track: Track, index: Index) -> VideoFacts:
    """A picture stream, as it is stored."""
    stream, context, frame = track.stream, track.stream.codec_context, track.first_frame
    steps = [b - a for a, b in pairwise(index.pts)]
    light = read_light(frame)
    return VideoFacts(
        index=stream.index,
        codec=_CODEC_NAMES.get(track.codec, track.codec),
        profile=stream.profile,
        width=context.width,
        height=context.height,
        pixel_format=context.pix_fmt or "unknown",
        frame_rate=_frame_rate(index, steps, stream.average_rate),
        frames=len(index.pts) or track.missing_pts,
        start_s=rounded(track.start_s),
        duration_s=rounded(track.duration_s),
        time_base=index.time_base,
        bitrate_bps=_bitrate(track),
        rotation=int(-frame.rotation) % 360 if frame else 0,
        sample_aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        color_range=_color(context.color_range, _RANGES),
        color_primaries=_color(context.color_primaries, _PRIMARIES),
        color_transfer=_color(context.color_trc, _TRANSFERS),
        color_space=_color(context.colorspace, _MATRICES),
        peak_nits=peak_nits(light),
        interlaced=bool(frame and frame.interlaced_frame),
        variable_frame_rate=_is_variable(steps, index.time_base),
        keyframes=len(index.keyframes),
        longest_gop_s=rounded(_longest_gop(index)),
        b_frames=track.reordered > 0,
        open_gop=track.leading > 0,
        hidden_frames=track.hidden,
        damaged_packets=track.damaged,
        hdr_light=in_words(light),
        light=light,
        header_sha256=_sha256(context.extradata),
    )


def _sha256(data: bytes | None) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None


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


def _frame_rate(index: Index, steps: list[int], told: Fraction | None) -> Fraction | None:
    """Average frames per second; a standard rate, or that which the container tells, where the
    difference is only rounding. Of a second in milliseconds that is a thousandth. What FFmpeg
    tells of Matroska is a guess that is a little beside: 19001/317 for 60000/1001."""
    if not steps:
        return None
    span_s = (index.pts[-1] - index.pts[0]) * index.time_base
    average = len(steps) / span_s
    likely = [told] if told and told.denominator <= 1001 else []
    for rate in sorted({*likely, *_STANDARD_RATES}, key=lambda rate: _likeness(rate, told)):
        if abs(average - rate) * span_s <= rate * index.time_base:
            return rate
    for rate in _STANDARD_RATES:
        if abs(average - rate) * 2000 < rate:
            return rate
    return average.limit_denominator(1001)


def _likeness(rate: Fraction, told: Fraction | None) -> tuple[bool, Fraction]:
    """Standard rates first, and of those the one that is closest to what the container tells."""
    return (rate not in _STANDARD_RATES, abs(rate - told) if told else Fraction())


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


def _bitrate(track: Track) -> int | None:
    return int(track.size * 8 / track.duration_s) if track.duration_s > 0 else None


def title_of(told: Mapping[str, str]) -> str | None:
    """A stream's title; MP4 and MOV call it name, and FFmpeg does not translate when it reads."""
    return told.get("title") or told.get("name")


def audio_facts(track: Track) -> AudioFacts:
    """A sound stream."""
    stream, context = track.stream, track.stream.codec_context
    return AudioFacts(
        index=stream.index,
        codec=_CODEC_NAMES.get(track.codec, track.codec),
        profile=stream.profile,
        channels=context.channels,
        layout=context.layout.name,
        sample_rate=context.sample_rate,
        bits=_bits(track.codec, context),
        start_s=rounded(track.start_s),
        duration_s=rounded(track.duration_s),
        bitrate_bps=_bitrate(track),
        language=_language(stream),
        title=title_of(stream.metadata),
        default=bool(stream.disposition & av.stream.Disposition.default),
        commentary=bool(stream.disposition & av.stream.Disposition.comment),
        described=bool(stream.disposition & av.stream.Disposition.visual_impaired),
        damaged_packets=track.damaged,
    )


def _language(stream: Any) -> str | None:
    """A track's own; of a file for one sound, the file's (ID3's TLAN, FLAC's LANGUAGE, WAV's ILNG),
    where it is one language and its code."""
    whole = stream.container.metadata.get("language", "")
    if stream.container.format.name in OF_ONE_SOUND and re.fullmatch("[A-Za-z]{2,3}", whole):
        return from_file(whole)
    return from_file(stream.metadata.get("language"))


def _bits(codec: str, context: Any) -> int | None:
    """24-bit samples travel in 32; codecs that do not keep samples decode to floats."""
    if not codec.startswith("pcm_") and codec not in ("flac", "alac"):
        return None
    name = context.format.name if context.format else ""
    return {"s16": 16, "u8": 8, "s32": 24, "flt": 24, "dbl": 24}.get(name.removesuffix("p"), 16)
