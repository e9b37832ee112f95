"""What an expert would say of a file's facts. A pure function."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.contracts.probe import Finding, Loudest
from longtake.words import counted
from media.picture.colour import HDR_TRANSFERS

_SUFFIXES = {
    "mov": (".mp4", ".m4v", ".m4a", ".m4b", ".mov", ".qt", ".3gp", ".3g2", ".mj2"),
    "matroska": (".mkv", ".mka", ".webm"),
    "mpegts": (".ts", ".m2ts", ".mts", ".trp"),
    "mpeg": (".mpg", ".mpeg", ".vob", ".ps"),
    "avi": (".avi", ".divx"),
    "flv": (".flv",),
    "wav": (".wav", ".wave", ".bwf"),
    "asf": (".wmv", ".wma", ".asf"),
    "dv": (".dv", ".dif"),
    "aiff": (".aif", ".aiff", ".aifc"),
    "caf": (".caf",),
    "amr": (".amr",),
    "w64": (".w64",),
    "flac": (".flac",),
    "mp3": (".mp3",),
    "ogg": (".ogg", ".oga", ".ogv", ".opus"),
    "aac": (".aac",),
}
_WEBM = ("vp8", "vp9", "av1", "opus", "vorbis")
_LONG_GOP_S = 10
_EXACT_DBFS = -0.01
"""What counts as full scale: one step of 10 bits less."""


def findings(name: str, facts: MediaFacts, loudest: tuple[Loudest, ...] = ()) -> list[Finding]:
    """Findings about a file called `name`: warnings first, then notes."""
    found = [
        *_of_file(name, facts),
        *(each for video in facts.video for each in _of_video(video)),
        *(each for audio in facts.audio for each in _of_audio(audio, facts)),
        *(each for track in loudest for each in _of_loudest(track)),
    ]
    return sorted(found, key=lambda finding: finding.severity == "note")


def _warning(code: str, message: str, stream: int | None = None) -> Finding:
    return Finding(code=code, severity="warning", message=message, stream=stream)


def _note(code: str, message: str, stream: int | None = None) -> Finding:
    return Finding(code=code, severity="note", message=message, stream=stream)


def _of_file(name: str, facts: MediaFacts) -> Iterator[Finding]:
    suffix = PurePath(name).suffix.lower()
    codecs = [*(video.codec for video in facts.video), *(audio.codec for audio in facts.audio)]
    if suffix not in _SUFFIXES.get(facts.container, (suffix,)):
        yield _warning(
            "wrong-extension",
            f"the name ends in {suffix or 'no suffix'!r}, but the content is {facts.container}: "
            "players that trust names fail",
        )
    elif suffix == ".webm" and not set(codecs) <= set(_WEBM):
        yield _warning(
            "wrong-extension", f"WebM does not hold {', '.join(codecs)}: this is a Matroska file"
        )
    if facts.index_first is False:
        yield _warning(
            "no-faststart",
            "the index lies at the end: a browser must fetch it before it can play; "
            "`--preset remux` puts it first",
        )
    if not facts.video and any(other.kind == "cover" for other in facts.other):
        yield _note("cover", "there is a cover picture, and no film")
    if facts.chapters:
        yield _note("chapters", f"it has {counted(facts.chapter_count, 'chapters')}")
    for warning in facts.warnings:
        yield _note("one-piece", warning)


def _of_video(video: VideoFacts) -> Iterator[Finding]:
    index = video.index
    if video.variable_frame_rate:
        yield _warning(
            "variable-frame-rate",
            "the frame rate varies: editors may lose sync; Longtake keeps each frame's time",
            index,
        )
    if video.hidden_frames:
        yield _warning(
            "edit-list",
            f"an edit list hides {counted(video.hidden_frames, 'frames')}: players that ignore it "
            "show them, and a copy keeps them",
            index,
        )
    if video.damaged_packets:
        yield _damage(video.damaged_packets, index)
    if video.interlaced:
        yield _warning("interlaced", "the picture is interlaced: screens show combs", index)
    if video.open_gop:
        yield _warning(
            "open-gop",
            "GOPs are open: frames before a keyframe need the GOP before it, so a cut there "
            "shows damage",
            index,
        )
    if video.longest_gop_s > _LONG_GOP_S:
        yield _warning(
            "long-gop",
            f"keyframes are up to {video.longest_gop_s:.0f} s apart: seeking is slow",
            index,
        )
    yield from _of_colour(video)
    if video.rotation:
        yield _note("rotation", f"players turn the picture by {video.rotation}° clockwise", index)
    if video.sample_aspect != 1:
        yield _note("sample-aspect", f"pixels are {video.sample_aspect} as wide as high", index)
    if video.b_frames:
        yield _note("b-frames", "frames are stored in another order than they are shown", index)


def _of_colour(video: VideoFacts) -> Iterator[Finding]:
    tags = {
        "primaries": video.color_primaries,
        "transfer": video.color_transfer,
        "matrix": video.color_space,
    }
    missing = [name for name, value in tags.items() if value is None]
    if missing:
        yield _warning(
            "missing-colour-tags",
            f"the colour's {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not tagged: "
            "players guess by size, and not all alike",
            video.index,
        )
    if video.color_transfer in HDR_TRANSFERS:
        light = video.hdr_light
        told = f", {light}" if light else ""
        yield _note("hdr", f"the picture is HDR ({video.color_transfer}{told})", video.index)
        if video.color_transfer == "smpte2084" and light is None:
            yield _warning(
                "no-hdr-metadata", "PQ without light levels: televisions guess", video.index
            )


def _of_audio(audio: AudioFacts, facts: MediaFacts) -> Iterator[Finding]:
    if audio.damaged_packets:
        yield _damage(audio.damaged_packets, audio.index)
    if not facts.video:
        return
    apart = audio.start_s - facts.video[0].start_s
    if abs(apart) > 0.1:
        late = "after" if apart > 0 else "before"
        yield _note("apart", f"sound begins {abs(apart):.2f} s {late} the picture", audio.index)
    ends = audio.start_s + audio.duration_s
    short = facts.video[0].start_s + facts.video[0].duration_s - ends
    if short > 1:
        yield _warning("short-sound", f"sound ends {short:.1f} s before the picture", audio.index)


def _damage(packets: int, stream: int) -> Finding:
    words = f"{counted(packets, 'packets')} not whole, or garbled on the way: the file is damaged"
    return _warning("damaged-packets", words, stream)


def _of_loudest(track: Loudest) -> Iterator[Finding]:
    if track.peak_dbfs > 0:
        yield _warning(
            "clipped-audio",
            f"samples exceed full scale by {track.peak_dbfs:.1f} dB: players clip them",
            track.stream,
        )
    elif track.flat and track.peak_dbfs >= _EXACT_DBFS:
        yield _warning(
            "clipped-audio", "samples stay at full scale: the sound was clipped", track.stream
        )
