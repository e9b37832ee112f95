"""Picture and sound stay together: a white flash and a beep at the same time, measured."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.media.engine import run, transcode

SMALL: dict[str, Any] = {"video": {"crf": 28, "speed": "ultrafast"}}
RATE = 48_000


def flash_and_beep(target: Path, at: float, *muxing: str, seconds: int = 8) -> Path:
    """A clip whose picture is white and whose sound is 1 kHz from `at` on, for 0.2 s."""
    run(
        *("-f", "lavfi", "-i", f"color=black:s=320x180:r=25:d={seconds}"),
        *("-f", "lavfi", "-i"),
        f"aevalsrc='if(between(t,{at},{at}+0.2),0.8*sin(2*PI*1000*t),0)':s={RATE}:d={seconds}",
        *("-vf", f"drawbox=c=white:t=fill:enable='between(t,{at},{at}+0.19)'"),
        *("-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "2", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "128k", *muxing, target),
    )
    return target


def flash_time(path: Path) -> float:
    """Seconds on the file's own clock until the first white frame."""
    listed = run(
        *("-copyts", "-i", path, "-map", "0:v:0", "-vf", "scale=1:1,format=gray,showinfo"),
        *("-f", "framemd5", "-fps_mode", "passthrough", "-enc_time_base", "demux", "-"),
    )
    base, previous = Fraction(1), None
    for line in listed.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            if previous is not None and fields[5] != previous:
                return float(int(fields[2]) * base)
            previous = fields[5]
    raise AssertionError("no flash")


def beep_time(path: Path, folder: Path) -> float:
    """Seconds on the file's own clock until the beep; silence is put where sound starts late."""
    wav = folder / "sound.wav"
    zero = f"aresample={RATE}:async=1:first_pts=0"
    run("-copyts", "-i", path, "-map", "0:a:0", "-af", zero, "-ac", "1", wav)
    with wave.open(str(wav)) as sound:
        samples = memoryview(sound.readframes(sound.getnframes())).cast("h")
    onset = next(n for n, sample in enumerate(samples) if abs(sample) > 3000)
    return onset / RATE


def assert_together(path: Path, folder: Path, at: float) -> None:
    flash, beep = flash_time(path), beep_time(path, folder)
    assert flash == pytest.approx(at, abs=0.001)
    assert beep == pytest.approx(at, abs=0.005)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_flash_and_beep_stay_together(suffix: str, tmp_path: Path) -> None:
    source = flash_and_beep(tmp_path / "in.mp4", 5)
    made = await transcode(source, tmp_path / f"out{suffix}", chunk_s=2, **SMALL)
    assert len(made.chunks) >= 3
    assert_together(made.path, tmp_path, 5)


async def test_sound_that_starts_late_stays_late(tmp_path: Path) -> None:
    whole = flash_and_beep(tmp_path / "whole.mp4", 5)
    source = tmp_path / "in.mkv"
    run(
        *("-i", whole, "-itsoffset", "1.96", "-ss", "1.96", "-i", whole),
        *("-map", "0:v", "-map", "1:a", "-c", "copy", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=2, **SMALL)
    assert_together(made.path, tmp_path, flash_time(source))


async def test_picture_that_starts_late_stays_late(tmp_path: Path) -> None:
    whole = flash_and_beep(tmp_path / "whole.mp4", 5)
    source = tmp_path / "in.mkv"
    run(
        *("-i", whole, "-itsoffset", "0.52", "-i", whole),
        *("-map", "1:v", "-map", "0:a", "-c", "copy", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=2, **SMALL)
    assert flash_time(made.path) == pytest.approx(5.52, abs=0.001)
    assert beep_time(made.path, tmp_path) == pytest.approx(5.0, abs=0.005)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("in.mp4", "libmp3lame"),
        ("in.mkv", "libmp3lame"),
        ("in.avi", "libmp3lame"),
        ("in.mkv", "libopus"),
        ("in.mkv", "libvorbis"),
        ("in.ts", "mp2"),
    ],
)
async def test_what_a_decoder_drops_of_the_sound_moves_nothing(
    name: str, codec: str, tmp_path: Path
) -> None:
    # AVI does not say when H.264's B-frames are shown.
    old = ("-c:v", "mpeg4", "-bf", "0") if name == "in.avi" else ()
    source = flash_and_beep(tmp_path / name, 2, "-c:a", codec, *old, seconds=3)
    made = await transcode(source, tmp_path / "out.mp4", **SMALL)
    apart = beep_time(source, tmp_path) - flash_time(source)
    assert beep_time(made.path, tmp_path) - flash_time(made.path) == pytest.approx(apart, abs=0.005)


async def test_a_start_offset_becomes_zero_for_both(tmp_path: Path) -> None:
    source = flash_and_beep(tmp_path / "in.ts", 5, "-output_ts_offset", "100")
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=2, **SMALL)
    flash, beep = flash_time(made.path), beep_time(made.path, tmp_path)
    assert flash == pytest.approx(beep, abs=0.005)
    assert flash == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("rate", [RATE, 16_000, 44_100])
async def test_a_clip_begins_at_zero_for_both(rate: int, tmp_path: Path) -> None:
    source = flash_and_beep(tmp_path / "in.mp4", 5)
    options: dict[str, Any] = {"audio": {"sample_rate": rate}, "start": "2.5", "end": 7}
    made = await transcode(source, tmp_path / "out.mp4", **options, **SMALL)
    assert made.facts.duration_s == pytest.approx(4.5, abs=0.04)
    flash, beep = flash_time(made.path), beep_time(made.path, tmp_path)
    assert flash == pytest.approx(2.5, abs=0.041)  # the first frame of the clip lies up to one late
    assert beep == pytest.approx(2.5, abs=0.005)


@pytest.mark.parametrize(
    "options",
    [
        {"video": {"codec": "copy"}},
        {"audio": {"codec": "copy"}, **SMALL},
        {"preset": "remux"},
    ],
    ids=["picture copied", "sound copied", "both copied"],
)
@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
async def test_copied_streams_stay_together(
    name: str, options: dict[str, object], tmp_path: Path
) -> None:
    source = flash_and_beep(tmp_path / name, 5)
    made = await transcode(source, tmp_path / "out.mp4", **options)
    assert_together(made.path, tmp_path, 5)
