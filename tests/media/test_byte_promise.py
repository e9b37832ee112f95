"""Same input and settings, same bytes: on every CPU level, under every thread cap and order."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from longtake.contracts import AudioOptions, Transcode, VideoOptions
from longtake.presets import resolve
from media.audio import audio_command
from media.isolate import inspect_in_child
from media.plan import Plan, make_plan
from media.video import chunk_command
from tests.media.engine import run, transcode

NO_PICTURE = VideoOptions(codec="none")

x86_only = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="CPU levels of x86-64"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Moving, detailed, 10-bit to 8-bit, scaled: every stage that could round differently."""
    target = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25", "-f", "lavfi"),
        *("-i", "anoisesrc=c=pink:r=44100:a=0.3:seed=7:d=6", "-t", "6"),
        *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p10le", "-g", "50"),
        *("-c:a", "flac", target),
    )
    return target


async def planned(source: Path) -> Plan:
    facts, index = await inspect_in_child(source)
    job = Transcode(
        input=str(source),
        output="out.mp4",
        preset="web-480p",
        video=VideoOptions(height=240, speed="medium"),
        audio=AudioOptions(sample_rate=48_000),
    )
    return make_plan(facts, index, resolve(job), chunk_s=Fraction(2))


def digest(arguments: list[str], target: Path) -> str:
    subprocess.run(arguments, check=True, capture_output=True, timeout=120)
    return hashlib.sha256(target.read_bytes()).hexdigest()


@x86_only
@pytest.mark.parametrize("asm", ["none", "SSE2", "AVX", "AVX2"])
async def test_picture_bytes_do_not_depend_on_the_cpu(
    source: Path, tmp_path: Path, asm: str
) -> None:
    plan = await planned(source)
    assert plan.video is not None
    chunk = plan.video.chunks[1]
    target = tmp_path / "chunk.mp4"
    usual = chunk_command(source, plan, chunk, target).arguments()
    flags = {"none": "0", "SSE2": "sse2", "AVX": "avx", "AVX2": "avx2"}[asm]
    lesser = [
        argument.replace("cpu-independent=1", f"cpu-independent=1:asm={asm}")
        for argument in [usual[0], "-cpuflags", flags, *usual[1:]]
    ]
    assert any("asm=" in argument for argument in lesser)
    assert digest(lesser, target) == digest(usual, target)


@x86_only
async def test_sound_is_held_to_one_cpu_level(source: Path, tmp_path: Path) -> None:
    """FFmpeg's float code gives other bytes on other CPUs; the pinned level takes that away."""
    music = tmp_path / "music.mp3"
    run("-i", source, "-vn", "-c:a", "libmp3lame", "-b:a", "128k", music)
    facts, index = await inspect_in_child(music)
    job = Transcode(
        input=str(music), output="out.mp4", video=NO_PICTURE, audio=AudioOptions(sample_rate=48_000)
    )
    target = tmp_path / "sound.m4a"
    pinned = audio_command(music, make_plan(facts, index, resolve(job)), 0, target).arguments()
    at = pinned.index("-cpuflags")
    free = [*pinned[:at], *pinned[at + 2 :]]
    levels = {
        level: digest([free[0], "-cpuflags", level, *free[1:]], target)
        for level in ("sse4.2", "avx", "avx2")
    }
    assert len(set(levels.values())) > 1, "the pin would not be needed"
    assert digest(pinned, target) == levels["sse4.2"]


async def test_bytes_do_not_depend_on_cores_or_the_order_of_chunks(
    source: Path, tmp_path: Path
) -> None:
    first = await transcode(source, tmp_path / "a.mp4", preset="web-480p", chunk_s=2)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if cores:
            os.sched_setaffinity(0, {min(cores)})
        again = await transcode(source, tmp_path / "b.mp4", preset="web-480p", chunk_s=2)
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    assert len(first.chunks) >= 2
    assert first.path.read_bytes() == again.path.read_bytes()
