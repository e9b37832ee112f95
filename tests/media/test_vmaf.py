"""A chunk is scored as it is encoded: by its own frames, and without a byte of it changed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from longtake.contracts import Transcode
from longtake.contracts.encode import VideoOptions
from longtake.contracts.steps.common import Source
from longtake.contracts.steps.transcode import Image
from longtake.errors import InvalidJob
from longtake.presets import resolve
from longtake.quality import every
from media.ffmpeg.command import Ffmpeg
from media.picture.overlays import Beside
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.transcode.analysis import encode_at_quality
from media.transcode.fragments import Joining
from media.transcode.plan import Plan
from media.transcode.planning import make_plan
from media.transcode.video import chunk_command, encode_chunk
from media.transcode.vmaf import Measure, check_measurable, score
from tests.media.engine import frames, no_tick, run
from tests.patience import WAIT_S

NOTHING = Beside()
CODECS: dict[str, dict[str, Any]] = {
    "h264": {"speed": "veryfast"},
    "hevc": {"speed": "ultrafast"},
    "vp9": {"speed": 5},
    "av1": {"speed": 11},
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of 320x180 under noise, without colour tags; a keyframe every second."""
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=320x180:r=25:end_pts=200", "-t", 4),
        *("-vf", "noise=alls=8:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-bf", 2),
        *("-g", 25, "-crf", 14, "-pix_fmt", "yuv420p", target),
    )
    return target


async def planned(
    source: Path, crf: int, beside: Beside = NOTHING, **video: Any
) -> tuple[Plan, Index]:
    """A plan in chunks of a second, each of which may have another CRF."""
    facts, index = await inspect_in_child(source)
    assert index is not None
    options = VideoOptions.model_validate({"crf": crf, **video})
    settings = resolve(Transcode(input=str(source), output="/out.mp4", video=options))
    plan = make_plan(facts, index, settings, beside=beside, chunk_s=Fraction(1))
    varied = plan.picture.model_copy(update={"varied": True})
    return plan.model_copy(update={"video": varied}), index


def alone(encoded: Path, source: Path, first: int, report: Path) -> list[float]:
    """What every frame of a chunk scores, by a command of its own that decodes both."""
    alike = (
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited,"
        "settb=1/1000,setpts=N*40"
    )
    graph = (
        f"[0:v]{alike}[a];[1:v]select=gte(n\\,{first})*lt(n\\,{first + 25}),{alike}[b];"
        f"[a][b]libvmaf=n_threads=1:log_fmt=json:log_path={report}"
    )
    run("-i", encoded, "-i", source, "-filter_complex", graph, "-f", "null", "-")
    return [frame["metrics"]["vmaf"] for frame in json.loads(report.read_text())["frames"]]


@pytest.mark.parametrize("codec", CODECS)
async def test_the_score_is_that_of_the_chunk_and_costs_no_byte(
    codec: str, film: Path, tmp_path: Path
) -> None:
    plan, index = await planned(film, 30, codec=codec, **CODECS[codec])
    chunk = plan.picture.chunks[3]
    plain, scored, report = (tmp_path / name for name in ("plain.mp4", "scored.mp4", "v.json"))
    await encode_chunk(film, plan, index, chunk, plain, no_tick)
    done = await encode_chunk(film, plan, index, chunk, scored, no_tick, report=report)
    assert done.errors == 0
    assert scored.read_bytes() == plain.read_bytes()
    scores = alone(scored, film, 75, tmp_path / "every.json")
    counted = [
        vmaf for place, vmaf in enumerate(scores) if place > 2 and (place + 75) % every(100) == 0
    ]
    assert len(counted) == 4
    assert score(report) == pytest.approx(sum(counted) / len(counted), abs=0.02)


async def test_nothing_is_decoded_again_that_no_score_needs(film: Path, tmp_path: Path) -> None:
    """Decoding what was encoded is most of what a score costs."""
    plan, _ = await planned(film, 30, codec="h264", **CODECS["h264"])
    fourth = Measure(tmp_path / "v.json", first=18, frames=25, every=83)
    chunk, made = plan.picture.chunks[1], tmp_path / "chunk.mp4"
    command = chunk_command(film, plan, chunk, made, measure=fourth).measuring()
    told = run_loudly(replace(command, globals=(*command.globals, "-debug_ts")))
    assert len(json.loads(fourth.report.read_text())["frames"]) == 2
    again = [line for line in told.splitlines() if line.startswith("[dec:")]
    decoded = [line for line in again if "decoder ->" in line]
    assert 5 <= len(decoded) < 20, "it may run ahead of the filters by some frames"
    assert len(frames(made, "gray")) == 25


def run_loudly(command: Ffmpeg) -> str:
    """What FFmpeg says on stderr."""
    done = subprocess.run(
        command.arguments(), check=True, capture_output=True, text=True, timeout=WAIT_S
    )
    return done.stderr


async def test_the_score_is_against_what_the_encoder_was_given(film: Path, tmp_path: Path) -> None:
    """Scaled, and with a mark: neither counts as a loss."""
    mark, report = tmp_path / "mark.png", tmp_path / "v.json"
    run("-f", "lavfi", "-i", "testsrc=s=64x64:r=1", "-frames:v", 1, mark)
    pinned = Source(uri=str(mark), bytes=1, sha256="0" * 64, version="1")
    plan, index = await planned(
        *(film, 14, Beside(watermark=Image(source=pinned, width=64, height=64))),
        height=90,
        codec="h264",
        watermark={"image": str(mark)},
    )
    chunk = plan.picture.chunks[1]
    await encode_chunk(
        *(film, plan, index, chunk, tmp_path / "a.mp4", no_tick), mark=mark, report=report
    )
    assert score(report) > 90


@pytest.mark.parametrize("codec", CODECS)
async def test_chunks_of_different_crf_are_one_rendition(
    codec: str, film: Path, tmp_path: Path
) -> None:
    """Their headers are the same, byte by byte: else `Joining` refuses."""
    chunks = []
    for number, crf in enumerate((14, 20, 33, 40)):
        plan, index = await planned(film, crf, codec=codec, **CODECS[codec])
        chunks.append(tmp_path / f"{number}.mp4")
        chunk = plan.picture.chunks[number]
        await encode_chunk(film, plan, index, chunk, chunks[-1], no_tick)
    joined = tmp_path / "joined.mp4"
    with Joining(joined, len(chunks)) as track:
        for made in chunks:
            track.add(made)
    assert len(frames(joined, "gray")) == 100
    sizes = [path.stat().st_size for path in chunks]
    assert sizes == sorted(sizes, reverse=True)


async def test_a_score_is_of_the_encode_that_keeps_the_cap(film: Path, tmp_path: Path) -> None:
    """SVT-AV1 passes the cap in a short chunk, which is then encoded anew."""
    most, video = 150_000, {"codec": "av1", **CODECS["av1"]}
    plan, index = await planned(film, 20, max_bitrate_bps=most, **video)
    chunk, made, report = plan.picture.chunks[1], tmp_path / "chunk.mp4", tmp_path / "v.json"
    await encode_chunk(film, plan, index, chunk, made, no_tick)
    assert 8 * made.stat().st_size > 1.1 * most, "there is nothing to keep it from"
    await encode_at_quality(film, plan, index, chunk, made, no_tick, report=report)
    assert 8 * made.stat().st_size <= 1.05 * most
    scores = alone(made, film, 25, tmp_path / "every.json")
    chosen = [
        vmaf for place, vmaf in enumerate(scores) if place > 2 and (place + 25) % every(100) == 0
    ]
    assert score(report) == pytest.approx(sum(chosen) / len(chosen), abs=0.02)


async def test_hdr_is_not_measured(corpus: Path) -> None:
    source = corpus / "hlg10.mp4"
    if not source.exists():
        pytest.skip("no corpus")
    facts, index = await inspect_in_child(source)
    options = VideoOptions(codec="hevc", quality="vmaf:90")
    plan = make_plan(
        facts, index, resolve(Transcode(input=str(source), output="/o.mp4", video=options))
    )
    with pytest.raises(InvalidJob, match="VMAF is not defined for HDR"):
        check_measurable(facts, plan)
