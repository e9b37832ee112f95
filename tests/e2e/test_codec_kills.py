"""Each codec survives the death of its encoder, and two passes that of their worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run

pytestmark = [pytest.mark.kill, pytest.mark.slow]

JOBS: dict[str, tuple[str, ...]] = {
    "hevc": ("--video", "hevc", "--crf", "30", "--speed", "veryfast"),
    "av1": ("--video", "av1", "--crf", "40", "--speed", "8"),
    "vp9": ("--video", "vp9", "--crf", "45", "--speed", "6"),
    # Quick: that there is something to kill, the size sees to.
    "ffv1": ("--preset", "archive-ffv1", "--pad", "960x540", "--upscale"),
    "prores": ("--preset", "mezzanine-prores", "--pad", "960x540", "--upscale"),
    "two passes": ("--video", "h264", "--bitrate", "600k", "--speed", "medium"),
}


SUFFIXES = {"ffv1": ".mkv", "prores": ".mov"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of 480x270 with noise, a keyframe every second: some work in each chunk."""
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=480x270:r=25:d=6", "-vf", "noise=alls=12:allf=t"),
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
    suffix = SUFFIXES.get(name, ".mp4")
    reference = service.json("transcode", clip, "-o", service.out / f"{name}-a{suffix}", *options)
    assert reference["stats"]["chunks"] == 6
    assert not reference["warnings"]
    service.forget_work()
    job = f"killed-{name.replace(' ', '-')}"
    command = ("transcode", clip, "-o", service.out / f"{name}-b{suffix}", *options, "--id", job)
    assert service.run(*command, "--no-wait").returncode == 0

    def killed() -> bool:
        victims = service.encoders() if len(parts(service)) >= 2 else []
        for victim in victims[:1]:
            (service.worker() if name == "two passes" else victim).kill()
        return bool(victims)

    until(killed, 60, "two parts done, another at work")
    before = parts(service)
    result = service.json("watch", job)
    assert result["outputs"][0]["sha256"] == reference["outputs"][0]["sha256"]
    after = parts(service)
    assert before.items() <= after.items(), "a finished part was made again"
    assert len(after) == (12 if name == "two passes" else 6)
