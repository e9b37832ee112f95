"""The tree of a streaming package, laid out of what Shaka Packager made.

Put right on the way: the packager's average rate may lie over its peak, its target duration is
rounded up, its durations are in milliseconds, and it knows neither this package's names nor which
sounds replace each other.
"""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

from longtake.contracts.package import Encryption, VideoRange
from longtake.errors import InputCorrupt, ResourceExhausted, StorageUnavailable
from media.captions.webvtt import read_webvtt, segment
from media.captions.wvtt import CODECS, init_segment, media_segment
from media.package import dash, hls
from media.package.keys import initialization_vector, key_id
from media.package.listing import MANIFEST, MASTER, content_hash, hashes, listing, write_listing
from media.package.renditions import Rendition, Segment, Text, Track, target_duration
from media.package.slivers import SLIVER_S, join_sliver
from media.transcode.fragments import count_samples

_INIT = "init.mp4"
_RANGES: dict[str, VideoRange] = {"SDR": "SDR", "PQ": "PQ", "HLG": "HLG"}
_AV1_COLOUR = {"PQ": "0.110.09.16.09.0", "HLG": "0.110.09.18.09.0"}
"""Of HDR, in a codec string (AV1 in ISOBMFF, 5): without it, the colour is BT.709's."""


def lay_out(
    making: Path,
    tracks: Sequence[Track],
    texts: Sequence[Text],
    segment_s: Fraction,
    encryption: Encryption | None,
    key: bytes | None,
) -> None:
    """Lay out the package in the folder that `making` lies in; that one is gone afterwards.

    To be run in a child. Raises InputCorrupt, InputTooLarge, ResourceExhausted, StorageUnavailable.
    """
    try:
        _lay_out(making, tracks, texts, segment_s, encryption, key)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceExhausted(
                f"no space left on the disk of {making.parent}; free some, or write somewhere else"
            ) from error
        raise StorageUnavailable(f"{making.parent} cannot be written: {error}") from error


def _lay_out(
    making: Path,
    tracks: Sequence[Track],
    texts: Sequence[Text],
    segment_s: Fraction,
    encryption: Encryption | None,
    key: bytes | None,
) -> None:
    target = making.parent
    variants = hls.variants((making / MASTER).read_text("utf-8"))
    manifest = (making / MANIFEST).read_text("utf-8")
    told = dash.representations(manifest)
    parts: dict[str, Rendition] = {}
    keys: dict[str, str] = {}
    for number, track in enumerate(tracks):
        folder = str(number)
        variant = variants.get(f"{folder}/playlist.m3u8", {})
        counts = _samples(making / folder, track)
        times = dash.timeline(told[folder])
        if track.kind == "audio":
            times = _without_sliver(making / folder, times)
        if encryption is not None and key is not None:
            keys[folder] = _encrypted(making / folder, track, encryption, key)
        parts[folder] = _rendition(making / folder, track, counts, told[folder], variant, times)
    end_s = max(part.end_s for part in parts.values())
    for number, text in enumerate(texts, start=len(tracks)):
        parts[str(number)] = _captions(making / str(number), text, segment_s, end_s)
    target_s = target_duration(each for part in parts.values() for each in part.segments)
    known: dict[str, str] = {}
    for folder, part in parts.items():
        _write_playlists(making / folder, part, target_s, keys.get(folder))
        files = hashes(making / folder)
        name = f"{part.name}-{content_hash(files)[:12]}"
        (making / folder).rename(target / name)
        parts[folder] = replace(part, folder=name)
        known |= {f"{name}/{file}": digest for file, digest in files.items()}
    renditions = list(parts.values())
    (target / MASTER).write_text(hls.master_playlist(renditions, target_s), "utf-8")
    if encryption is None or encryption.scheme == "cbcs":
        uri = encryption.key_uri if encryption else None
        (target / MANIFEST).write_text(dash.rewritten(manifest, parts, target_s, uri), "utf-8")
    shutil.rmtree(making)
    write_listing(target, listing(target, renditions, target_s, encryption, known))


def _samples(folder: Path, track: Track) -> list[int]:
    """How many samples each segment holds. The packager ends well, too, where its input does not go
    on: so every one is counted."""
    counts = [count_samples(path) for path in _segments(folder)]
    wanted = count_samples(track.path)
    if sum(counts) != wanted:
        raise InputCorrupt(f"{track.name}: {sum(counts)} of {wanted} samples were packaged")
    return counts


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.m4s"), key=lambda path: int(path.stem))


def _encrypted(folder: Path, track: Track, encryption: Encryption, key: bytes) -> str:
    """The attributes of EXT-X-KEY. The packager has encrypted with `cbcs`; `aes-128` is done here,
    with another initialization vector for each rendition."""
    if encryption.scheme == "cbcs":
        iv = initialization_vector(key, key_id(encryption))
        return hls.key_attributes("SAMPLE-AES", encryption.key_uri, iv)
    from media.package.aes import encrypt_file  # in the child alone: its library is large

    iv = initialization_vector(key, track.name.encode())
    for path in _segments(folder):
        encrypt_file(path, key, iv)
    return hls.key_attributes("AES-128", encryption.key_uri, iv)


def _without_sliver(
    folder: Path, times: Sequence[tuple[Fraction, Fraction]]
) -> list[tuple[Fraction, Fraction]]:
    """Begin and duration of each segment of a sound whose last one, if it is next to nothing, was
    joined to the one before."""
    if len(times) < 2 or times[-1][1] >= SLIVER_S:
        return list(times)
    join_sliver(*_segments(folder)[-2:])
    (begin_s, lasts_s), (_, more_s) = times[-2:]
    return [*times[:-2], (begin_s, lasts_s + more_s)]


def _rendition(
    folder: Path,
    track: Track,
    counts: list[int],
    told: Element,
    variant: Mapping[str, str],
    times: Sequence[tuple[Fraction, Fraction]],
) -> Rendition:
    """What a finished track is: `told` by the packager's DASH, and by its HLS (`variant`), with
    begin and duration of each segment."""
    segments = tuple(
        Segment(path.name, lasts_s, path.stat().st_size)
        for path, (_, lasts_s) in zip(_segments(folder), times, strict=True)
    )
    rendition = Rendition(
        name=track.name,
        kind=track.kind,
        segments=segments,
        codecs=told.attrib["codecs"],
        end_s=sum(times[-1], Fraction()),
        language=track.language,
        title=track.title,
        default=track.default,
        commentary=track.commentary,
        described=track.described,
        track=track.track,
    )
    if track.kind == "audio":
        return replace(rendition, group=track.group, channels=dash.channels(told))
    video_range = track.video_range or _RANGES[variant.get("VIDEO-RANGE", "SDR")]
    codecs = rendition.codecs
    if codecs.startswith("av01.") and video_range in _AV1_COLOUR and codecs.count(".") == 3:
        codecs = f"{codecs}.{_AV1_COLOUR[video_range]}"
    width, _, height = variant["RESOLUTION"].partition("x")
    listed = folder / "iframes.m3u8"
    return replace(
        rendition,
        codecs=codecs,
        i_frames=hls.i_frames(listed.read_text("utf-8")) if listed.exists() else (),
        resolution=(int(width), int(height)),
        frame_rate=track.frame_rate or _frame_rate(counts, segments),
        video_range=video_range,
    )


def _frame_rate(counts: Sequence[int], segments: Sequence[Segment]) -> Fraction:
    """The greatest of any segment, in Hz. The last one, where there are others,
    is left out: it may be two frames long, of which one is shown for no time."""
    rates = [count / each.duration_s for count, each in zip(counts, segments, strict=True)]
    return max(rates[:-1] or rates)


def _captions(folder: Path, text: Text, segment_s: Fraction, end_s: Fraction) -> Rendition:
    """Write the segments of captions, for HLS and for DASH, from the package's begin to its end."""
    folder.mkdir()
    captions = read_webvtt(text.path)
    (folder / _INIT).write_bytes(init_segment(captions))
    segments, fragments = list[Segment](), list[Segment]()
    for number, (at_s, until_s) in enumerate(pairwise(_grid(segment_s, end_s)), start=1):
        begin, end = round(at_s * 1000), round(until_s * 1000)
        words = segment(captions, begin, end).encode()
        data = media_segment(captions, number, begin, end)
        (folder / f"{number:05}.vtt").write_bytes(words)
        (folder / f"{number:05}.m4s").write_bytes(data)
        segments.append(Segment(f"{number:05}.vtt", until_s - at_s, len(words)))
        fragments.append(Segment(f"{number:05}.m4s", Fraction(end - begin, 1000), len(data)))
    return Rendition(
        name=text.name,
        kind="captions",
        segments=tuple(segments),
        fragments=tuple(fragments),
        codecs=CODECS,
        end_s=end_s,
        language=text.language,
        title=text.title,
        default=text.default,
        forced=text.forced,
        hearing_impaired=text.hearing_impaired,
    )


def _grid(segment_s: Fraction, end_s: Fraction) -> list[Fraction]:
    """Where segments of captions begin, and where the last ends: none is as good as empty."""
    count = max(1, math.ceil((end_s - Fraction(1, 10)) / segment_s))
    return [*(number * segment_s for number in range(count)), end_s]


def _write_playlists(folder: Path, part: Rendition, target_s: int, key: str | None) -> None:
    """In place of the packager's."""
    init = None if part.kind == "captions" else _INIT
    whole = hls.media_playlist(part.segments, target_s, init=init, key=key)
    (folder / "playlist.m3u8").write_text(whole, "utf-8")
    if part.i_frames:
        alone = hls.media_playlist(part.i_frames, target_s, init=init, key=key)
        (folder / "iframes.m3u8").write_text(alone, "utf-8")
