"""Rules of the HLS master playlist: streams against what is in their segments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from longtake.contracts.check import RuleFinding
from media.check.codecs import same_codec
from media.check.facts import Master, Package, Stream
from media.check.renditions import Rendition, members, of_playlist
from media.check.rules import finding

_RANGES = {16: "PQ", 18: "HLG"}
"""By transfer characteristics (ITU-T H.273)."""
_ROUNDING = Fraction(1001, 1000)
"""So much above what is declared, a measured rate is taken for the same."""
_TENTH = Fraction(1, 10)
MOST_FPS = 60


def master(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the streams of the master."""
    found = package.master
    if found is None:
        return
    for stream in found.streams:
        playlist = package.playlists.get(stream.path or "")
        rendition = of_playlist(package, playlist) if playlist else None
        yield from _attributes(stream, rendition)
        if rendition is None:
            continue
        sounds = [] if stream.iframes else members(package, stream, "AUDIO")
        yield from _codecs(stream, rendition, sounds)
        yield from _picture(package, stream, rendition)
        captions = [] if stream.iframes else members(package, stream, "SUBTITLES")
        yield from _rates(stream, rendition, sounds, captions)
    yield from _independent(package, found)


def _attributes(stream: Stream, rendition: Rendition | None) -> Iterator[RuleFinding]:
    is_picture = stream.iframes or (rendition is not None and rendition.kind == "video")
    wanted = ["bandwidth", "codecs", *(() if stream.iframes else ("average_bandwidth",))]
    wanted += ["resolution"] if is_picture else []
    wanted += ["frame_rate"] if is_picture and not stream.iframes else []
    missing = [name.upper().replace("_", "-") for name in wanted if name not in stream.attributes]
    if missing:
        yield finding("hls-attributes", stream.where, f"{', '.join(missing)} is missing")


def _codecs(
    stream: Stream, rendition: Rendition, sounds: Sequence[Rendition]
) -> Iterator[RuleFinding]:
    declared = [word.strip() for word in stream.attributes.get("codecs", "").split(",")]
    played = [each.track.codec for each in (rendition, *sounds) if each.track]
    if declared == [""] or not played:
        return
    texts = ("wvtt", "stpp")
    missing = [codec for codec in played if not any(same_codec(word, codec) for word in declared)]
    surplus = [
        word
        for word in declared
        if not word.startswith(texts) and not any(same_codec(word, codec) for codec in played)
    ]
    if missing or surplus:
        yield finding(
            "hls-codecs",
            stream.where,
            f"CODECS {stream.attributes['codecs']!r}; its segments hold "
            f"{','.join(dict.fromkeys(played))!r}",
        )


def _picture(package: Package, stream: Stream, rendition: Rendition) -> Iterator[RuleFinding]:
    track = rendition.track
    if track is None or track.kind != "video":
        return
    told, picture = stream.attributes, package.pictures.get(rendition.init or "")
    width, height = (picture.width, picture.height) if picture else (track.width, track.height)
    shown = {f"{width}x{height}", f"{round(width * track.aspect)}x{height}"}
    if "resolution" in told and told["resolution"] not in shown:
        yield finding(
            "hls-resolution",
            stream.where,
            f"RESOLUTION {told['resolution']}; the picture has {width}x{height}",
        )
    transfer = picture.transfer if picture and picture.transfer != 2 else track.transfer
    is_range = _RANGES.get(transfer or 1, "SDR")
    if told.get("video_range", "SDR") != is_range:
        declared = told.get("video_range", "no VIDEO-RANGE, which means SDR")
        yield finding("hls-video-range", stream.where, f"{declared}; the picture is {is_range}")
    if picture and told.get("video_range") == "PQ" and not picture.has_light:
        yield finding("hls-hdr10", stream.where, "neither mastering display nor light levels")
    if picture and picture.is_interlaced:
        yield finding("hls-interlaced", rendition.name, "its first picture is interlaced")
    if not stream.iframes and rendition.is_timed:
        yield from _frame_rate(stream, rendition)


def _frame_rate(stream: Stream, rendition: Rendition) -> Iterator[RuleFinding]:
    mean = 1 / rendition.frame_s
    if mean > MOST_FPS * _ROUNDING:
        yield finding("hls-frame-rate-60", stream.where, f"{float(mean):.4g} frames a second")
    if "frame_rate" not in stream.attributes:
        return
    try:
        declared = Fraction(stream.attributes["frame_rate"])
    except (ValueError, ZeroDivisionError):
        declared = Fraction()
    if rendition.is_constant:
        rate, right = mean, rendition.has_rate(declared)
    else:  # the largest, RFC 8216bis says; what a rate of frames that vary is, is open
        shortest = min(fragment.shortest for s in rendition.media for fragment in s.fragments)
        rate = 1 / rendition.seconds(max(shortest, 1))
        right = mean * (1 - _TENTH) <= declared <= rate * (1 + _TENTH)
    if not right:
        yield finding(
            "hls-frame-rate",
            stream.where,
            f"FRAME-RATE {stream.attributes['frame_rate']}; the picture has {float(rate):.3f}",
        )


def _rates(
    stream: Stream,
    rendition: Rendition,
    sounds: Sequence[Rendition],
    captions: Sequence[Rendition],
) -> Iterator[RuleFinding]:
    """Declared bit rates against the largest sum that the stream can play, in bit/s.

    Many packagers leave captions out, which are next to nothing in most films. So BANDWIDTH must
    reach the sum without them, and come within a tenth of that with them (Apple, 1.27).
    """
    own = [] if rendition.name in {each.name for each in sounds} else [rendition]
    played = [own, sounds]  # where there is no picture, the stream is one of the sounds
    without, largest = _sum(played, "peak_bps"), _sum([*played, captions], "peak_bps")
    mean = _sum([*played, captions], "mean_bps")
    if not largest:
        return
    declared = _whole(stream, "bandwidth")
    if declared is not None and declared < max(without / _ROUNDING, largest * (1 - _TENTH)):
        yield finding(
            "hls-bandwidth", stream.where, f"BANDWIDTH {declared}; the peak is {float(largest):.0f}"
        )
    elif declared is not None and not stream.iframes and declared > largest * (1 + _TENTH):
        yield finding(
            "hls-bandwidth-over",
            stream.where,
            f"BANDWIDTH {declared}; the peak is {float(largest):.0f}",
        )
    average = _whole(stream, "average_bandwidth")
    if average is not None and abs(average - mean) > mean * _TENTH:
        yield finding(
            "hls-average-bandwidth",
            stream.where,
            f"AVERAGE-BANDWIDTH {average}; the mean is {float(mean):.0f}",
        )
    if not stream.iframes and largest > 2 * mean:
        yield finding(
            "hls-peak", stream.where, f"the peak is {float(largest / mean):.2g} times the mean"
        )


def _sum(parts: Sequence[Sequence[Rendition]], rate: str) -> Fraction:
    """The greatest rate of each part, added."""
    greatest = [max((getattr(each, rate) for each in part), default=Fraction()) for part in parts]
    return sum(greatest, Fraction())


def _whole(stream: Stream, name: str) -> int | None:
    written = stream.attributes.get(name, "")
    return int(written) if re.fullmatch(r"\d{1,15}", written, re.ASCII) else None


def _independent(package: Package, found: Master) -> Iterator[RuleFinding]:
    if found.independent:
        return
    for path in dict.fromkeys(stream.path for stream in found.streams if not stream.iframes):
        playlist = package.playlists.get(path or "")
        if playlist and not playlist.independent:
            yield finding(
                "hls-independent",
                playlist.path,
                f"EXT-X-INDEPENDENT-SEGMENTS stands neither here nor in {found.path}",
            )
