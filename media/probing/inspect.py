"""Look into a media file by demuxing it: facts for people and plans, and the packet index.

Opens untrusted files with PyAV, so it runs in a child process (`media.children.isolate`).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from longtake.contracts.media import MediaFacts, OtherStream
from longtake.errors import InputCorrupt, InputTooLarge, InputUnsupported
from longtake.languages import from_file
from media.probing.bitstream import x264_build
from media.probing.demux import Track, demux
from media.probing.facts import audio_facts, rounded, title_of, video_facts
from media.probing.formats import (
    MAX_DURATION_S,
    MAX_PIXELS,
    OLD_DECODERS,
    READER_OPTIONS,
    sniff,
)
from media.probing.index import IN_ONE_PIECE, Index
from media.probing.layout import asf_length, chapters, index_first

MAX_STREAMS = 64
_LENGTH_IN_HEADER = ("mov", "matroska", "avi", "flv")
FIXED_4_4_4 = 151
"""From this build on, x264's 4:4:4 streams decode without the message in their first frame."""


def inspect(path: str, *, salvage: bool = False) -> tuple[MediaFacts, Index | None]:
    """Facts of a file, and the index of its first picture stream (None without one).

    `salvage`: take a file whose end is missing for what is there, with a warning.
    Raises InputNotFound, InputForbidden, InputUnsupported, InputCorrupt, InputTooLarge.
    """
    file = Path(path)
    demuxer = sniff(file)
    try:
        with av.open(f"file:{path}", format=demuxer, options=READER_OPTIONS) as container:
            _check_size(container, path)
            tracks = demux(container, demuxer)
            return _describe(file, container, demuxer, tracks, salvage)
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


def _describe(
    file: Path, container: Any, demuxer: str, tracks: dict[int, Track], salvage: bool
) -> tuple[MediaFacts, Index | None]:
    pictures = [t for t in tracks.values() if t.stream.type == "video" and not _is_cover(t.stream)]
    sounds = [t for t in tracks.values() if t.stream.type == "audio" and t.first is not None]
    if not any(t.pts or t.missing_pts for t in pictures) and not sounds:
        raise InputUnsupported(f"{file} holds neither picture nor sound")
    if pictures and not pictures[0].stream.width * pictures[0].stream.height:
        raise InputCorrupt(
            f"{file} has a picture of no size, or of one beyond all bounds: it is damaged, or made "
            "to do harm. It was refused"
        )
    origin = min(
        (t.start_s for t in (*pictures, *sounds) if t.first is not None), default=Fraction()
    )
    missing = _missing_end(file, container, demuxer, [*pictures, *sounds], origin)
    if missing and not salvage:
        raise InputCorrupt(
            f"{missing}: the end is missing. Upload it again, or transcode what is there with "
            "`--salvage`"
        )
    indexes = [_index(t, demuxer, origin) for t in pictures]
    end = max((t.start_s + t.duration_s for t in (*pictures, *sounds)), default=origin)
    if end - origin > MAX_DURATION_S:
        raise InputTooLarge(
            f"{file} lasts {float(end - origin) / 3600:,.0f} hours; at most "
            f"{MAX_DURATION_S // 3600} are read"
        )
    facts = MediaFacts(
        container=demuxer,
        duration_s=rounded(end - origin),
        start_s=rounded(origin),
        early_text_s=_early_text_s(container),
        bytes=file.stat().st_size,
        video=tuple(video_facts(t, i) for t, i in zip(pictures, indexes, strict=True)),
        audio=tuple(audio_facts(t) for t in sounds),
        other=tuple(_others(container, tracks, origin)),
        tags={k: v[:500] for k, v in list(_tags(container, demuxer).items())[:50]},
        chapters=chapters(container),
        chapter_count=len(container.chapters()),
        index_first=index_first(file, demuxer),
        warnings=tuple(_warnings(indexes, missing)),
    )
    return facts, indexes[0] if indexes else None


def _early_text_s(container: Any) -> float:
    """FFmpeg counts a file's time from its text, too, where that begins less than a second before
    picture and sound (libavformat/demux.c, update_stream_timings)."""
    seen = [
        stream.start_time * stream.time_base
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None
    ]
    if not seen or container.start_time is None:
        return 0.0
    early = rounded(min(seen) - Fraction(container.start_time, av.time_base))
    others = any(s.type in ("subtitle", "data") for s in container.streams)
    return early if others and early >= 0.001 else 0.0


def _tags(container: Any, demuxer: str) -> dict[str, str]:
    """Tags of the whole; Ogg keeps them with its stream."""
    streams = container.streams.audio if demuxer == "ogg" else []
    return dict(container.metadata) | (dict(streams[0].metadata) if streams else {})


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _missing_end(
    file: Path, container: Any, demuxer: str, tracks: list[Track], origin: Fraction
) -> str | None:
    """The header promises a length; a file that stopped being written keeps less. Both in words;
    None if nothing is missing."""
    promised = asf_length(file) if demuxer == "asf" else None
    if demuxer in _LENGTH_IN_HEADER and container.duration:
        promised = Fraction(container.duration, av.time_base)
    if promised is None:
        return None  # elsewhere FFmpeg estimates the length from the bit rate
    found = max((t.start_s + t.duration_s for t in tracks if t.first is not None), default=origin)
    if demuxer != "matroska":  # whose duration is a time on its clock, not a length
        found -= origin
    if promised - found <= max(Fraction(1), promised / 50):
        return None
    return f"{file} promises {float(promised):.1f} s and ends after {float(found):.1f} s"


def _index(track: Track, demuxer: str, origin: Fraction) -> Index:
    frames = sorted(zip(track.pts, track.sizes, strict=True))
    pts = tuple(time for time, _ in frames)
    return Index(
        stream=track.stream.index,
        time_base=track.time_base,
        pts=pts,
        sizes=tuple(size for _, size in frames),
        keyframes=tuple(sorted(set(track.starts))),
        closed=frozenset(track.closed),
        end_pts=max(track.end, pts[-1] + 1 if pts else 0),
        origin_s=origin,
        unreliable=_why_unreliable(track, demuxer, pts),
    )


def _why_unreliable(track: Track, demuxer: str, pts: tuple[int, ...]) -> str | None:
    """Sources whose chunks are known to lie, as measured; None for all others."""
    context, codec = track.stream.codec_context, track.codec
    if track.broken:
        return "its last picture is not whole"  # some decoders show it, and some do not
    if track.missing_pts:
        return f"{track.missing_pts} packets have no timestamp"
    if len(set(pts)) != len(pts):
        return "two frames have the same timestamp"
    if demuxer == "avi" and codec == "h264":
        return "H.264 in AVI does not say when its frames are shown"
    if demuxer == "flv":
        return "chunks of FLV are not proven"
    if codec in OLD_DECODERS or demuxer in ("asf", "dv"):
        return f"chunks of {codec} are not proven"
    if codec == "h264" and context.pix_fmt and context.pix_fmt.startswith("yuv444"):
        build = x264_build(track.first_packet + (context.extradata or b""))
        if build is not None and build < FIXED_4_4_4:
            return f"4:4:4 of x264 build {build} decodes only from its first frame"
    return None


def _others(container: Any, tracks: dict[int, Track], origin: Fraction) -> list[OtherStream]:
    kinds = {"subtitle": "subtitle", "data": "data", "attachment": "attachment"}
    found = []
    for stream in container.streams:
        cover = stream.type == "video" and _is_cover(stream)
        if (stream.index in tracks and not cover) or _tells_chapters(stream, container):
            continue
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        kind = "cover" if cover else kinds.get(stream.type, "unknown")
        language, title = from_file(stream.metadata.get("language")), title_of(stream.metadata)
        name = stream.metadata.get("filename") or title or language
        found.append(
            OtherStream(
                index=stream.index,
                kind=kind,  # type: ignore[arg-type]
                codec=codec,
                name=name,
                language=language,
                title=title,
                forced=bool(stream.disposition & av.stream.Disposition.forced),
                hearing_impaired=bool(stream.disposition & av.stream.Disposition.hearing_impaired),
                early=stream.type == "subtitle" and _begins_before(stream, origin),
                # Its size is told by its decoder; without one, FFmpeg writes it into no file.
                unreadable=cover and not stream.width * stream.height,
            )
        )
    return found


def _begins_before(stream: Any, origin: Fraction) -> bool:
    """By a millisecond or more, as finely as most containers keep time."""
    if stream.start_time is None:
        return False
    return bool(stream.start_time * stream.time_base <= origin - Fraction(1, 1000))


def _tells_chapters(stream: Any, container: Any) -> bool:
    """Whether it is MP4's text track of chapters, a sample each, which FFmpeg reads as chapters and
    gives to nobody (mov.c, mov_read_chapters). It gives no telemetry either, whose samples are
    others."""
    unread = stream.type == "data" and stream.discard is av.stream.Discard.all
    return unread and 0 < stream.frames == len(container.chapters())


def _warnings(indexes: list[Index], missing: str | None) -> list[str]:
    cut = [f"{missing}: what is there was taken"] if missing else []
    return cut + [f"{IN_ONE_PIECE}: {i.unreliable}" for i in indexes if i.unreliable]
