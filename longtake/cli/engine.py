"""Commands that ask the engine. It runs in a child process, with its own folders on its path."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from longtake import preflight
from longtake.cli.console import out, print_json, say, warn
from longtake.cli.display import duration
from longtake.cli.options import Json
from longtake.cli.report import size
from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.errors import CapabilityMissing, LongtakeError, error_class
from longtake.paths import absolute
from longtake.presets import application_root


def probe(
    file: Annotated[str, typer.Argument(help="Media file.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Show what is in a media file, counted from its packets."""
    place = absolute(file)
    preflight.check_input(place)
    require_engine()
    document = ask_engine("media.inspect", str(Path(place)))
    if as_json:
        print_json(document)
    else:
        _show(MediaFacts.model_validate(document))


def gc(
    older_than_days: Annotated[
        float, typer.Option(min=0, help="Keep what is younger than this.")
    ] = 7.0,
    as_json: Json = False,
) -> None:
    """Remove finished chunks that no job has needed for a while, and abandoned files."""
    document = ask_engine("storage.sweep", "--older-than-days", str(older_than_days))
    if as_json:
        print_json(document)
    else:
        say(f"removed {document['removed']} files, {size(document['bytes'])}")


def require_engine() -> None:
    """Raises CapabilityMissing where only the client is installed."""
    if importlib.util.find_spec("av") is None or importlib.util.find_spec("imageio_ffmpeg") is None:
        raise CapabilityMissing("the engine is not installed here: pip install 'longtake[worker]'")


def engine_environment() -> dict[str, str]:
    """The environment in which a child finds the engine."""
    paths = [str(application_root()), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def ask_engine(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON document that a module of the engine prints. Raises the error it tells."""
    # -P: a `media` folder where the user happens to be is not ours.
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(
        command, env=engine_environment(), capture_output=True, text=True, check=False
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise LongtakeError(f"{module} did not answer: {last[0]}") from error
    if "error" in document:
        told = document["error"]
        raise error_class(told["type"])(told["message"])
    return document


def _show(facts: MediaFacts) -> None:
    head = f"{facts.container}  {_time(facts.duration_s)}  {size(facts.bytes)}"
    if facts.start_s:
        head += f"  starts at {facts.start_s:g} s"
    out.print(head, markup=False)
    for video in facts.video:
        out.print(f"  video  {_video(video)}", markup=False)
    for audio in facts.audio:
        out.print(f"  audio  {_audio(audio)}", markup=False)
    for other in facts.other:
        out.print(f"  {other.kind:<6} {other.codec}", markup=False)
    for warning in facts.warnings:
        warn(warning)


def _video(video: VideoFacts) -> str:
    rate = f"{float(video.frame_rate):.5g} fps" if video.frame_rate else "unknown rate"
    words = [
        _codec(video.codec, video.profile),
        f"{video.width}x{video.height}",
        video.pixel_format,
        f"{rate}, variable" if video.variable_frame_rate else rate,
        f"{video.frames} frames",
        f"{video.keyframes} keyframes, at most {video.longest_gop_s:.3g} s apart",
        _rate(video.bitrate_bps),
        f"turned by {video.rotation}°" if video.rotation else None,
        "interlaced" if video.interlaced else None,
        video.color_transfer,
    ]
    return "  ".join(word for word in words if word)


def _audio(audio: AudioFacts) -> str:
    words = [
        _codec(audio.codec, audio.profile),
        audio.layout,
        f"{audio.sample_rate} Hz",
        _rate(audio.bitrate_bps),
        audio.language,
        audio.title,
    ]
    return "  ".join(word for word in words if word)


def _codec(codec: str, profile: str | None) -> str:
    return f"{codec} ({profile})" if profile else codec


def _rate(bitrate_bps: int | None) -> str | None:
    return f"{bitrate_bps / 1000:.0f} kbit/s" if bitrate_bps else None


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else duration(seconds)
