"""Rules of what the streams of an HLS master offer together, and of the codecs that they name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from longtake.contracts.check import RuleFinding
from media.check.facts import Master, Package, Stream
from media.check.levels import Coded, coded, is_common, is_needed, is_played
from media.check.renditions import Rendition, of_hls, of_playlist
from media.check.rules import finding

_PICTURES = ("avc1", "avc3", "hvc1", "hev1", "av01", "dvh1", "dvhe", "dav1", "mjpg")
_AAC = ("mp4a.40.2", "mp4a.40.5", "mp4a.40.29")
"""AAC-LC and HE-AAC."""
_XHE_AAC = "mp4a.40.42"
_SOUNDS = (*_AAC, _XHE_AAC, "alac", "flac", "ac-3", "ec-3", "apac")
_NO_SOUNDS = (*_PICTURES, "vp", "wvtt", "stpp", "mp4v", "theora", "c608")
_DOLBY = ("ac-3", "ec-3")
_HE_AAC_BPS = 64_000
_UHD = 3840 * 2160
_UHD_BPS = 15_000_000
_STEREO = 2


def offer(package: Package) -> Iterator[RuleFinding]:
    """What players find to choose from."""
    found = package.master
    if found is None:
        return
    played = [stream for stream in found.streams if not stream.iframes]
    yield from _alike(found, played)
    yield from _sounds(package, found, played)
    pictures = [stream for stream in played if "resolution" in stream.attributes]
    if not pictures:
        return
    yield from _choice(found, pictures)
    yield from _iframes(found, pictures)
    yield from _codecs(found)
    for stream in pictures:
        yield from _levels(package, stream)
    yield from _sizes(found, pictures)
    yield from _colours(package)
    if len(pictures) < len(played):
        yield finding("hls-audio-only", found.path, "a stream is sound alone; others have pictures")


def _alike(found: Master, played: Sequence[Stream]) -> Iterator[RuleFinding]:
    """What stands in every stream or in none."""
    for name, rule in (
        ("score", "hls-score"),
        ("audio", "hls-groups-everywhere"),
        ("subtitles", "hls-groups-everywhere"),
    ):
        having = [stream for stream in played if name in stream.attributes]
        if having and len(having) < len(played):
            words = f"{name.upper()} stands in {len(having)} of {len(played)} streams"
            yield finding(rule, found.path, words)
    none = [stream for stream in played if stream.attributes.get("closed_captions") == "NONE"]
    if none and len(none) < len(played):
        words = f"CLOSED-CAPTIONS=NONE stands in {len(none)} of {len(played)} streams"
        yield finding("hls-closed-captions", found.path, words)


def _words(streams: Sequence[Stream]) -> list[str]:
    """The words of CODECS, each once."""
    words = (word for each in streams for word in each.attributes.get("codecs", "").split(","))
    return sorted({word.strip() for word in words} - {""})


def _sounds(package: Package, found: Master, played: Sequence[Stream]) -> Iterator[RuleFinding]:
    words = [word for word in _words(played) if not word.startswith(_NO_SOUNDS)]
    if words and not set(words) & set(_AAC):
        yield finding("hls-aac", found.path, "there is sound, and none of it is AAC")
    for word in words:
        if word.lower() not in _SOUNDS:
            yield finding("hls-sound-codec", found.path, f"{word} is none of Apple's")
    if "ec-3" in words and "ac-3" not in words:
        yield finding("hls-ac3", found.path, "there is E-AC-3, and no AC-3")
    sounds = [each for each in of_hls(package) if each.kind == "audio" and each.track]
    counts = [each.track.channels for each in sounds if each.track and each.track.codec in _AAC]
    if counts and min(counts) > _STEREO:
        yield finding("hls-aac", found.path, f"no AAC has less than {min(counts)} channels")
    others = [each.track for each in sounds if each.track and each.track.codec not in _AAC]
    more = [track for track in others if track.entry not in _DOLBY and track.channels > _STEREO]
    if more and max(counts, default=0) <= _STEREO:
        message = f"{more[0].codec} has {more[0].channels} channels, and no AAC has as many"
        yield finding("hls-aac", found.path, message)
    for each in sounds:
        is_he = each.track is not None and each.track.codec in _AAC[1:]
        if is_he and each.mean_bps > _HE_AAC_BPS:
            yield finding("hls-he-aac", each.name, f"HE-AAC of {float(each.mean_bps):.0f} bit/s")


def _range(stream: Stream) -> str:
    return stream.attributes.get("video_range", "SDR")


def _picture(stream: Stream) -> str:
    """The word of CODECS for the picture."""
    words = _words([stream])
    return next((word for word in words if word.startswith((*_PICTURES, "vp"))), "")


def _is_compatible(stream: Stream) -> bool:
    return _picture(stream).startswith("avc") and _range(stream) == "SDR"


def _choice(found: Master, pictures: Sequence[Stream]) -> Iterator[RuleFinding]:
    """Several bit rates of each codec, and one stream that all play."""
    rates: dict[str, set[str | None]] = defaultdict(set)
    for stream in pictures:
        rates[_picture(stream).partition(".")[0]].add(stream.path)
    for codec, paths in rates.items():
        if len(paths) == 1:
            words = f"there is one rendition of picture in {codec}"
            yield finding("hls-several-rates", found.path, words)
    if not any(_is_compatible(stream) for stream in pictures):
        yield finding("hls-compatible", found.path, "no stream is H.264 in SDR")


def _iframes(found: Master, pictures: Sequence[Stream]) -> Iterator[RuleFinding]:
    iframes = [stream for stream in found.streams if stream.iframes]
    if not iframes:
        yield finding("iframe-missing", found.path, "there is no EXT-X-I-FRAME-STREAM-INF")
        return
    if not any(_is_compatible(stream) for stream in iframes):
        yield finding("hls-compatible", found.path, "no I-frames are H.264 in SDR")
    had = {_picture(stream).partition(".")[0] for stream in iframes}
    for codec in sorted({_picture(stream).partition(".")[0] for stream in pictures} - had):
        if "mjpg" not in had:
            yield finding("iframe-missing", found.path, f"there are no I-frames of {codec}")
    sizes = {each.attributes.get("resolution") for each in pictures if _range(each) != "SDR"}
    hdr = {each.attributes.get("resolution") for each in iframes if _range(each) != "SDR"}
    if hdr and sizes - hdr:
        words = f"there are no I-frames in HDR of {', '.join(sorted(filter(None, sizes - hdr)))}"
        yield finding("iframe-hdr-sizes", found.path, words)
    if len(iframes) == 1 and len({stream.path for stream in pictures}) > 1:
        yield finding("iframe-several-rates", found.path, "there is one I-frame playlist")


def _codecs(found: Master) -> Iterator[RuleFinding]:
    """Of I-frames, too."""
    common: dict[str, bool] = {}
    for word in _words(found.streams):
        if word.startswith(("vp", "mp4v")):
            yield finding("hls-picture-codec", found.path, f"{word} is none of Apple's")
        told = coded(word)
        if told is None:
            continue
        if not is_played(told):
            yield finding("hls-profile", found.path, f"{word} is beyond what Apple's devices play")
        if told.family == "H.264" and told.profile < 100:
            yield finding("hls-high-profile", found.path, f"{word} is not High profile")
        common[told.family] = common.get(told.family, False) or is_common(told)
    for family, is_there in common.items():
        if not is_there:
            words = f"all of {family} is beyond what old devices play"
            yield finding("hls-common-level", found.path, words)
    for stream in found.streams:
        told = coded(_picture(stream))
        if told and _range(stream) in ("PQ", "HLG") and told.bits < 10:
            words = f"VIDEO-RANGE {_range(stream)} in {_picture(stream)}, which has 8 bits"
            yield finding("hls-hdr-depth", stream.where, words)


def _levels(package: Package, stream: Stream) -> Iterator[RuleFinding]:
    told: Coded | None = coded(_picture(stream))
    playlist, size = package.playlists.get(stream.path or ""), _shape(stream)
    rendition = of_playlist(package, playlist) if playlist else None
    if told is None or size is None or rendition is None or not rendition.is_timed:
        return
    if not is_needed(told, size, 1 / _usual_frame_s(rendition), rendition.peak_bps):
        words = f"{_picture(stream)} has a higher level than its size and rate need"
        yield finding("hls-level", stream.where, words)


def _usual_frame_s(rendition: Rendition) -> Fraction:
    """The shortest frame: encoders count with the highest rate."""
    shortest = min(each.shortest for segment in rendition.media for each in segment.fragments)
    return rendition.seconds(max(shortest, 1))


def _shape(stream: Stream) -> tuple[int, int] | None:
    size = stream.attributes.get("resolution", "")
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def _sizes(found: Master, pictures: Sequence[Stream]) -> Iterator[RuleFinding]:
    shapes = [shape for stream in pictures if (shape := _shape(stream))]
    # Sizes are even, so small rungs are off by up to a pixel either way.
    for width, height in shapes[1:]:
        if abs(width * shapes[0][1] - height * shapes[0][0]) > 2 * max(shapes[0]):
            yield finding(
                "hls-aspect",
                found.path,
                f"{width}x{height} and {shapes[0][0]}x{shapes[0][1]} have different shapes",
            )
    rates = [
        stream.attributes.get("average_bandwidth", "")
        for stream in pictures
        if (shape := _shape(stream)) and shape[0] * shape[1] >= _UHD
    ]
    known = [int(rate) for rate in rates if re.fullmatch(r"\d{1,15}", rate, re.ASCII)]
    if known and min(known) > _UHD_BPS:
        yield finding("hls-uhd-rate", found.path, f"the least of UHD takes {min(known)} bit/s")


def _colours(package: Package) -> Iterator[RuleFinding]:
    """Primaries of the pictures, those of each VIDEO-RANGE against its first."""
    first: dict[str, tuple[int, str]] = {}
    for stream in package.master.streams if package.master else ():
        playlist = package.playlists.get(stream.path or "")
        init = next((piece.init for piece in playlist.pieces), None) if playlist else None
        track, picture = package.tracks.get(init or ""), package.pictures.get(init or "")
        told = picture.primaries if picture else track.primaries if track else None
        if told is None or told == 2:  # not told
            continue
        wanted, where = first.setdefault(_range(stream), (told, stream.where))
        if told != wanted:
            words = f"its primaries are {told}; those of {where} are {wanted} (H.273)"
            yield finding("hls-colour", stream.where, words)
