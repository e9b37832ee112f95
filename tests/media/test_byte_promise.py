"""Same input and settings, same bytes: on every CPU level, under every thread cap and order."""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from longtake.contracts import AudioOptions, Transcode, VideoOptions
from longtake.contracts.encode import PixelFormat
from longtake.presets import resolve
from media.ffmpeg.filter_files import written
from media.ffmpeg.tools import wide_vectors
from media.probing.in_child import inspect_in_child
from media.sound.audio import audio_command
from media.transcode.plan import Plan
from media.transcode.planning import make_plan
from media.transcode.video import chunk_command, encode_chunk, recipe
from tests.media.engine import no_tick, run, transcode
from tests.patience import WAIT_S

NO_PICTURE = VideoOptions(codec="none")

x86_only = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="CPU levels of x86-64"
)


SSE2 = "mmx+mmxext+sse+sse2"
SSE42 = f"{SSE2}+sse3+ssse3+sse4.1+sse4.2"
LEVELS = {"sse2": SSE2, "sse4.2": SSE42, "avx": f"{SSE42}+avx", "avx2": f"{SSE42}+avx+avx2"}
"""A flag alone means that feature alone, so each level names all before it."""


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
    subprocess.run(arguments, check=True, capture_output=True, timeout=WAIT_S)
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
    flags = {"none": "0"}.get(asm) or LEVELS[asm.lower()]
    lesser = [
        argument.replace("cpu-independent=1", f"cpu-independent=1:asm={asm}")
        for argument in [usual[0], "-cpuflags", flags, *usual[1:]]
    ]
    assert any("asm=" in argument for argument in lesser)
    assert digest(lesser, target) == digest(usual, target)


@pytest.mark.skipif(not wide_vectors(), reason="needs a processor with cheap AVX-512")
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10"])
async def test_hevc_takes_avx512_and_its_bytes_do_not_tell(
    source: Path, tmp_path: Path, pixels: PixelFormat
) -> None:
    facts, index = await inspect_in_child(source)
    picture = VideoOptions(codec="hevc", height=240, speed="medium", pixel_format=pixels)
    job = Transcode(input=str(source), output="out.mp4", video=picture)
    plan, target = make_plan(facts, index, resolve(job), chunk_s=Fraction(2)), tmp_path / "chunk"
    usual = chunk_command(source, plan, plan.picture.chunks[1], target).arguments()
    without = [argument.replace(":asm=avx512", "") for argument in usual]
    assert usual != without
    assert "asm" not in str(recipe(plan.picture))  # so that all hosts share what is finished
    assert digest(without, target) == digest(usual, target)


@x86_only
@pytest.mark.parametrize("codec", ["mpeg4", "libvpx"])
async def test_older_codecs_decode_alike_on_every_level(tmp_path: Path, codec: str) -> None:
    """Every x86-64 has SSE2; MPEG-4 decodes otherwise without it."""
    old = tmp_path / "old.mkv"
    picture = ("-f", "lavfi", "-i", "mandelbrot=s=320x180:r=25", "-t", "2")
    run(*picture, "-c:v", codec, "-b:v", "1M", "-g", "25", old)
    plan, target = await planned(old), tmp_path / "chunk.mp4"
    assert plan.video is not None
    usual = chunk_command(old, plan, plan.video.chunks[0], target).arguments()
    made = {
        level: digest([usual[0], "-cpuflags", flags, *usual[1:]], target)
        for level, flags in LEVELS.items()
    }
    assert set(made.values()) == {digest(usual, target)}


@x86_only
async def test_filters_give_the_same_bytes_on_every_cpu_of_the_class(tmp_path: Path) -> None:
    """All at once, over noise and fields. From SSE 4.2 on: below, `overlay` rounds otherwise."""
    film, mark, words = tmp_path / "in.mkv", tmp_path / "mark.png", tmp_path / "a.srt"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=320x180:r=50", "-t", "4", "-vf"),
        "noise=alls=20:allf=t:all_seed=3,tinterlace=interleave_top",
        *("-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme", "-g", "25"),
        *("-pix_fmt", "yuv420p", film),
    )
    run("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", mark)
    words.write_text("1\n00:00:00,000 --> 00:00:09,000\nWords\n", "utf-8")
    asked = {
        "deinterlace": "auto",
        "denoise": "strong",
        "frame_rate": 20,
        "crop": "280:160:20:10",
        "pad": "256x256",
        "watermark": {"image": str(mark), "opacity": 0.4},
        "captions": {"file": str(words)},
        "speed": "ultrafast",
        "crf": 10,
    }
    made = await transcode(film, tmp_path / "out.mp4", chunk_s=1, video=asked)
    assert made.plan.video is not None
    chunk, target = made.plan.video.chunks[1], tmp_path / "chunk.mp4"
    with written(made.plan.video.files, target) as files:
        usual = chunk_command(film, made.plan, chunk, target, mark=mark, files=files).arguments()
        digests = {
            digest([usual[0], "-cpuflags", LEVELS[level], *usual[1:]], target)
            for level in ("sse4.2", "avx", "avx2")
        }
        assert digests == {digest(usual, target)}


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
        level: digest([free[0], "-cpuflags", flags, *free[1:]], target)
        for level, flags in LEVELS.items()
    }
    assert len(set(levels.values())) > 1, "the pin would not be needed"
    assert digest(pinned, target) == levels["sse4.2"]


async def test_chunks_are_the_same_one_by_one_and_all_at_once_the_last_first(
    source: Path, tmp_path: Path
) -> None:
    index = (await inspect_in_child(source))[1]
    plan = await planned(source)
    assert plan.video is not None
    assert index is not None
    chunks = plan.video.chunks
    assert len(chunks) >= 3

    async def encode(number: int, folder: Path) -> bytes:
        path = folder / f"{number}.mp4"
        await encode_chunk(source, plan, index, chunks[number], path, no_tick)
        return path.read_bytes()

    one, many = tmp_path / "one", tmp_path / "many"
    one.mkdir()
    many.mkdir()
    in_turn = [await encode(number, one) for number in range(len(chunks))]
    backwards = await asyncio.gather(*(encode(n, many) for n in reversed(range(len(chunks)))))
    assert in_turn == list(reversed(backwards))


async def test_bytes_do_not_depend_on_cores(source: Path, tmp_path: Path) -> None:
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
