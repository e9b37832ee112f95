"""Each codec survives the death of its encoder, and two passes that of their worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = [pytest.mark.kill, pytest.mark.slow]

JOBS: dict[str, tuple[str, ...]] = {
    "hevc": ("--video", "hevc", "--crf", "30", "--speed", "veryfast"),
    "av1": ("--video", "av1", "--crf", "40", "--speed", "8"),
    "vp9": ("--video", "vp9", "--crf", "45", "--speed", "6"),
    "two passes": ("--video", "h264", "--bitrate", "600k", "--speed", "medium"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of 480x270 with noise, a keyframe every second: some work in each chunk."""
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=480x270:r=25:d=8", "-vf", "noise=alls=12:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-crf", "22"),
        *("-pix_fmt", "yuv420p", target),
    )
    return target


def parts(service: Service) -> dict[str, int]:
    """Finished chunks and analyses in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/*-*")
    kept = [path for path in objects if path.name.startswith(("chunk-", "analysis-"))]
    return {path.name: path.stat().st_ino for path in kept}


@pytest.mark.parametrize("name", JOBS)
def test_a_kill_changes_no_byte(service: Service, clip: Path, name: str) -> None:
    options = (*JOBS[name], "--audio", "none", "--chunk", "1")
    reference = service.json("transcode", clip, "-o", service.out / f"{name}-a.mp4", *options)
    assert reference["stats"]["chunks"] == 8
    assert not reference["warnings"]
    service.forget_work()
    job = f"killed-{name.replace(' ', '-')}"
    command = ("transcode", clip, "-o", service.out / f"{name}-b.mp4", *options, "--id", job)
    assert service.run(*command, "--no-wait").returncode == 0
    until(lambda: len(parts(service)) >= 2 and service.encoders(), 60, "two parts done")
    before = parts(service)
    if name == "two passes":
        service.worker().kill()
    else:
        service.encoders()[0].kill()
    assert service.run("watch", job, timeout=WAIT_S).returncode == 0
    result = service.json("status", job)
    assert result["outputs"][0]["sha256"] == reference["outputs"][0]["sha256"]
    after = parts(service)
    assert before.items() <= after.items(), "a finished part was made again"
    assert len(after) == (16 if name == "two passes" else 8)
