"""A target quality is reached, and reached again after a kill, by the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run

pytestmark = [pytest.mark.kill, pytest.mark.slow]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s of 320x180 that zooms under noise, a keyframe every second."""
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=320x180:r=25:end_pts=200", "-t", 16),
        *("-vf", "noise=alls=8:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-g", 25),
        *("-crf", 14, "-pix_fmt", "yuv420p", target),
    )
    return target


def vmaf(made: Path, source: Path, report: Path) -> float:
    """Of every frame, by a command of its own."""
    numbered = (
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited,"
        "settb=1/1000,setpts=N*40"
    )
    graph = (
        f"[0:v]{numbered}[a];[1:v]{numbered}[b];"
        f"[a][b]libvmaf=n_threads=1:log_fmt=json:log_path={report}"
    )
    run("-i", made, "-i", source, "-filter_complex", graph, "-f", "null", "-")
    return float(json.loads(report.read_text())["pooled_metrics"]["vmaf"]["mean"])


def scores(service: Service) -> dict[str, int]:
    """Scores of finished chunks in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/vmaf-*")
    return {path.name: path.stat().st_ino for path in objects}


def test_the_target_is_reached_also_after_a_kill(
    service: Service, film: Path, tmp_path: Path
) -> None:
    options = ("--quality", "vmaf:88", "--speed", "veryfast")
    first = service.json("transcode", film, "-o", service.out / "a.mp4", *options)
    reached = first["quality"]
    assert reached["target"] == "vmaf:88"
    assert "vmaf:88" in first["decisions"]["quality"]
    assert len(reached["waves"]) > 2
    assert sum(wave["chunks"] for wave in reached["waves"]) == (
        first["stats"]["chunks"] + reached["again"]
    )
    assert abs(vmaf(service.out / "a.mp4", film, tmp_path / "vmaf.json") - 88) <= 0.5

    service.forget_work()
    command = ("transcode", film, "-o", service.out / "c.mp4", *options, "--id", "killed")
    assert service.run(*command, "--no-wait").returncode == 0
    until(lambda: len(scores(service)) >= 3, 300, "three chunks scored")
    service.worker().kill()
    before = {**scores(service), **service.chunks()}
    again = service.json("watch", "killed")
    after = {**scores(service), **service.chunks()}
    assert before.items() <= after.items(), "a finished chunk was made again"
    assert again["quality"] == reached
    assert again["outputs"][0]["sha256"] == first["outputs"][0]["sha256"]


def test_a_cap_holds_whatever_the_target_asks_for(service: Service, tmp_path: Path) -> None:
    noise = tmp_path / "noise.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=4", "-vf", "noise=alls=40:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", 10, "-g", 50, noise),
    )
    result = service.json(
        *("transcode", noise, "-o", service.out / "capped.mp4", "--video", "av1", "--speed", 11),
        *("--quality", "vmaf:95", "--max-bitrate", "100k", "--chunk", 2, "--audio", "none"),
    )
    assert result["outputs"][0]["media"]["video"][0]["bitrate_bps"] < 110_000
    assert result["quality"]["vmaf"] < 90


def test_a_target_out_of_reach_is_told(service: Service, tmp_path: Path) -> None:
    """VMAF gives no still picture more than about 97, identical ones included."""
    still = tmp_path / "still.mp4"
    run(
        *("-f", "lavfi", "-i", "smptehdbars=s=160x90:r=25", "-t", 1, "-c:v", "libx264"),
        *("-pix_fmt", "yuv420p", still),
    )
    result = service.json(
        *("transcode", still, "-o", service.out / "still.mp4"),
        *("--quality", "vmaf:99", "--speed", "ultrafast"),
    )
    assert result["quality"]["coarsest"] == 8
    assert any("vmaf:99 is not met" in warning for warning in result["warnings"])


def test_quality_and_crf_together_are_refused(service: Service, film: Path) -> None:
    done = service.run(
        *("transcode", film, "-o", service.out / "no.mp4", "--quality", "vmaf:95", "--crf", 20)
    )
    assert done.returncode == 2
    assert "quality and crf contradict each other" in done.stderr
