"""`longtake probe`: what is in a media file, and what an expert would say of it."""

from __future__ import annotations

from typing import Annotated

import typer

from longtake import preflight
from longtake.cli.console import out, print_json
from longtake.cli.display import duration
from longtake.cli.engine import ask_engine, require_engine
from longtake.cli.options import Json
from longtake.cli.report import size
from longtake.contracts.media import AudioFacts, VideoFacts
from longtake.contracts.probe import Probe
from longtake.errors import InvalidJob
from longtake.paths import absolute, local_path, shown
from longtake.words import counted

SHOWN_TAGS = 12


def probe(
    file: Annotated[str, typer.Argument(help="Media file.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Show what is in a media file, and what could make trouble."""
    place = absolute(file)
    path = local_path(place)
    if path is None:
        raise InvalidJob(f"{shown(place)}: probe reads files of this machine; fetch it first")
    preflight.check_input(place)
    require_engine()
    document = ask_engine("media.probing.probe", str(path))
    if as_json:
        print_json(document)
    else:
        _show(Probe.model_validate(document))


def _show(found: Probe) -> None:
    head = f"{found.container}  {_time(found.duration_s)}  {size(found.bytes)}"
    if found.start_s:
        head += f"  starts at {found.start_s:g} s"
    out.print(head, markup=False)
    peaks = {track.stream: f"peaks at {track.peak_dbfs:+.1f} dBFS" for track in found.loudest}
    for video in found.video:
        out.print(f"  video  {_video(video)}", markup=False)
    for audio in found.audio:
        out.print(f"  audio  {_audio(audio, peaks.get(audio.index))}", markup=False)
    for other in found.other:
        out.print(f"  {other.kind:<6} {other.codec}", markup=False)
    for chapter in found.chapters:
        words = f"{_time(chapter.start_s)}  {chapter.title or ''}".rstrip()
        out.print(f"  chapter  {words}", markup=False)
    for name, value in list(found.tags.items())[:SHOWN_TAGS]:
        out.print(f"  tag  {name}: {' '.join(value.split())[:100]}", markup=False)
    for finding in found.findings:
        where = "" if finding.stream is None else f" (stream {finding.stream})"
        colour = "yellow" if finding.severity == "warning" else None
        out.print(f"{finding.severity}{where}: {finding.message}", style=colour, markup=False)


def _video(video: VideoFacts) -> str:
    rate = f"{float(video.frame_rate):.5g} fps" if video.frame_rate else "unknown rate"
    words = [
        _codec(video.codec, video.profile),
        f"{video.width}x{video.height}",
        video.pixel_format,
        f"{rate}, variable" if video.variable_frame_rate else rate,
        counted(video.frames, "frames"),
        _keyframes(video),
        _rate(video.bitrate_bps),
        f"turned by {video.rotation}°" if video.rotation else None,
        "interlaced" if video.interlaced else None,
        "/".join(filter(None, (video.color_primaries, video.color_transfer, video.color_space))),
        video.color_range,
        video.hdr_light,
    ]
    return "  ".join(word for word in words if word)


def _keyframes(video: VideoFacts) -> str:
    words = counted(video.keyframes, "keyframes")
    apart = f", at most {video.longest_gop_s:.3g} s apart"
    return words + apart if video.keyframes > 1 else words


def _audio(audio: AudioFacts, peak: str | None) -> str:
    words = [
        _codec(audio.codec, audio.profile),
        _layout(audio),
        f"{audio.sample_rate} Hz",
        _rate(audio.bitrate_bps),
        audio.language,
        audio.title,
        peak,
    ]
    return "  ".join(word for word in words if word)


def _layout(audio: AudioFacts) -> str:
    """Where the file names none, FFmpeg counts: `1 channels`."""
    counts = audio.layout.endswith("channels")
    return counted(audio.channels, "channels") if counts else audio.layout


def _codec(codec: str, profile: str | None) -> str:
    return f"{codec} ({profile})" if profile else codec


def _rate(bitrate_bps: int | None) -> str | None:
    return f"{bitrate_bps / 1000:.0f} kbit/s" if bitrate_bps else None


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else duration(seconds)
