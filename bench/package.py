"""`package`: a ladder of four rungs as HLS and DASH, by commands, by shaka-streamer, by a job."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import yaml

from bench import cost, footage
from bench.cost import Cost
from bench.footage import Footage
from bench.history import phases
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, alone, ratio, series
from longtake import Package
from longtake.contracts.encode import Speed
from longtake.contracts.package import Rung
from media.ffmpeg.tools import ffmpeg
from media.package.packager import packager

HOW = (
    "Four rungs of H.264 (1080, 720, 480, 360) with stereo AAC, segments of 4 s, keyframes every "
    "2 s, HLS and DASH. By commands: FFmpeg once for each rung and once for the sound, on all "
    "cores, with the same preset, crf and caps, one behind the other, then Shaka Packager. By "
    "shaka-streamer (PyPI), which encodes all rungs in one FFmpeg at preset slow to average rates: "
    "its own choice, so the job has the same preset, and its caps are those rates; both use the "
    "same FFmpeg. In turn, each on all cores; before each job the work store is emptied."
)
LADDER = ((1080, 6_000_000), (720, 3_300_000), (480, 1_800_000), (360, 1_150_000))
"""Shorter side in pixels, and cap in bit/s."""
GOP_S, SEGMENT_S, CRF = 2, 4, 23
_STREAMER = "shaka-streamer"


@dataclass
class Rounds:
    """What each way took, round by round."""

    theirs: list[Cost]
    ours: list[Cost]
    packaging: list[float]
    """Of each job's time, the share that its packaging took."""


async def measure(options: Options) -> Measurement:
    """Time against commands and against shaka-streamer, and the share of packaging."""
    measurement = Measurement("package", "four rungs, HLS and DASH", HOW)
    film = await footage.rich(options.out / "media", options.film_s(quick_s=8))
    short = await footage.rich(options.out / "media", min(20, film.seconds))
    speed = "ultrafast" if options.quick else "medium"
    async with lab() as here:
        rounds = Rounds([], [], [])
        for _ in range(options.rounds_of(3)):
            rounds.theirs.append(await _commands(film, options.out / "commands", speed))
            await _job(here, film, speed, rounds)
        _against(measurement, "four commands", rounds, 0.75)
        share = series("packaging", "%", [100 * value for value in rounds.packaging])
        measurement.rows.append(alone("packaging, of the job's time", share, 2.0))
        if importlib.util.find_spec("streamer") is None:
            measurement.notes.append(f"{_STREAMER} is not installed: pip install -e '.[bench]'")
            return measurement
        rounds = Rounds([], [], [])
        for _ in range(options.rounds_of(1)):
            rounds.theirs.append(await _shaka_streamer(short, options.out / _STREAMER))
            await _job(here, short, "slow", rounds)
        _against(measurement, _STREAMER, rounds, 1.00)
    return measurement


def _against(measurement: Measurement, name: str, rounds: Rounds, at_most: float) -> None:
    ours, theirs = cost.wall("Longtake", rounds.ours), cost.wall(name, rounds.theirs)
    measurement.rows.append(ratio(f"wall, {name}", ours, theirs, at_most))
    ours, theirs = cost.cpu("Longtake", rounds.ours), cost.cpu(name, rounds.theirs)
    measurement.rows.append(ratio(f"CPU, {name}", ours, theirs))
    measurement.notes.append(cost.neighbours(**{name: rounds.theirs, "Longtake": rounds.ours}))


async def _job(here: Lab, film: Footage, speed: Speed, rounds: Rounds) -> None:
    here.empty()
    here.jobs += 1
    output = here.home.path / f"package-{here.jobs}"
    job = Package(
        id=f"bench-package-{here.jobs}",
        input=str(film.path),
        output=str(output),
        preset="convert-to-hls",
        ladder=tuple(Rung(height=height, max_bitrate_bps=cap) for height, cap in LADDER),
        crf={"h264": CRF},
        speed={"h264": speed},
        segment_s=Fraction(SEGMENT_S),
        gop_s=Fraction(GOP_S),
    )
    called = time.time()
    took, result = await here.run(job)
    steps = await phases(await here.longtake.temporal(), result.job_id, called, time.time())
    rounds.ours.append(took)
    rounds.packaging.append(steps["pack: run"] / took.wall_s)
    shutil.rmtree(output)


async def _commands(film: Footage, folder: Path, speed: Speed) -> Cost:
    """Every command by itself, as a person would type them."""
    _emptied(folder)
    quiet = (ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-i", str(film.path))
    commands = [
        [
            *(*quiet, "-an", "-vf", f"scale=-2:{height}", "-c:v", "libx264", "-preset", speed),
            *("-crf", str(CRF), "-maxrate", str(cap), "-bufsize", str(2 * cap)),
            *("-profile:v", "high", "-pix_fmt", "yuv420p", "-sc_threshold", "0"),
            *("-g", str(GOP_S * film.fps), "-keyint_min", str(GOP_S * film.fps)),
            str(folder / f"{height}.mp4"),
        ]
        for height, cap in LADDER
    ]
    sound = folder / "sound.mp4"
    commands.append([*quiet, "-vn", "-c:a", "aac", "-b:a", "128000", "-ac", "2", str(sound)])
    commands.append(_packaging(folder, sound))
    return _together([await cost.run(command) for command in commands])


def _packaging(folder: Path, sound: Path) -> list[str]:
    tracks = [(folder / f"{height}.mp4", "video", str(height)) for height, _ in LADDER]
    streams = [
        f"in={path},stream={kind},init_segment={folder}/{name}/init.mp4,"
        f"segment_template={folder}/{name}/$Number$.m4s,playlist_name={name}.m3u8"
        + (
            f",iframe_playlist_name={name}-iframes.m3u8"
            if kind == "video"
            else ",hls_group_id=audio"
        )
        for path, kind, name in [*tracks, (sound, "audio", "sound")]
    ]
    return [
        *(str(packager()), *streams, "--segment_duration", str(SEGMENT_S), "--quiet"),
        *("--fragment_duration", str(GOP_S), "--generate_static_live_mpd"),
        *("--hls_master_playlist_output", str(folder / "master.m3u8")),
        *("--mpd_output", str(folder / "manifest.mpd")),
    ]


async def _shaka_streamer(film: Footage, folder: Path) -> Cost:
    """shaka-streamer with the FFmpeg and packager of Longtake, found on the PATH."""
    _emptied(folder)
    tools = folder / "bin"
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(ffmpeg())
    (tools / "packager").symlink_to(packager())
    probe = packager().name.replace("packager", "ffprobe")  # which it carries beside the packager
    (tools / "ffprobe").symlink_to(packager().with_name(probe))
    rungs = {
        f"{height}p": {
            "max_width": height * 16 // 9 + 8,
            "max_height": height,
            "bitrates": {"h264": f"{cap}"},
        }
        for height, cap in LADDER
    }
    (folder / "bitrates.yaml").write_text(yaml.safe_dump({"video_resolutions": rungs}))
    inputs = [
        {
            "name": str(film.path),
            "media_type": "video",
            "frame_rate": film.fps,
            "resolution": "1080p",
        },
        {
            "name": str(film.path),
            "media_type": "audio",
            "language": "en",
            "channel_layout": "stereo",
        },
    ]
    (folder / "inputs.yaml").write_text(yaml.safe_dump({"inputs": inputs}))
    pipeline = {
        "streaming_mode": "vod",
        "resolutions": [f"{height}p" for height, _ in LADDER],
        "channel_layouts": ["stereo"],
        "audio_codecs": ["aac"],
        "video_codecs": ["h264"],
        "manifest_format": ["dash", "hls"],
        "segment_size": SEGMENT_S,
        "segment_per_file": True,
        "quiet": True,
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
    script = Path(sys.executable).with_name(_STREAMER)
    command: Sequence[str] = [
        *("env", f"PATH={tools}:{os.environ['PATH']}", sys.executable, str(script)),
        *("-i", str(folder / "inputs.yaml"), "-p", str(folder / "pipeline.yaml")),
        *("-b", str(folder / "bitrates.yaml"), "-o", str(folder / "out")),
        *("--use-system-binaries", "--skip-deps-check"),
    ]
    return await cost.run(command, folder / "log")


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _together(costs: Sequence[Cost]) -> Cost:
    return Cost(
        sum(each.wall_s for each in costs),
        sum(each.cpu_s for each in costs),
        sum(each.others_s for each in costs),
    )
