"""One service for a module, and two sources with their references: one that takes some seconds to
encode, so that it can be disturbed, and one that takes next to none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.service import Service, running
from tests.media.engine import run


@dataclass(frozen=True)
class Film:
    """A source, the options it is encoded with, and what an undisturbed run gave."""

    path: Path
    options: tuple[str, ...]
    sha256: str
    chunks: int


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), LONGTAKE_DRAIN_GRACE="2") as service:
        yield service


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of 480p with noise: busy enough to be killed in the middle."""
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=854x480:r=25:d=12", "-f", "lavfi"),
        *("-i", "sine=440:r=48000:d=12", "-vf", "noise=alls=12:allf=t", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "50", "-crf", "24", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "64k", target),
    )
    return target


@pytest.fixture(scope="module")
def film(service: Service, source: Path) -> Film:
    """The source with its undisturbed result, made first in this module's service."""
    return referenced(service, source, "2")


@pytest.fixture(scope="module")
def clip(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Film:
    """4 s of 160x90 in four chunks."""
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=4", "-f", "lavfi"),
        *("-i", "sine=440:r=48000:d=4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return referenced(service, target, "1")


def referenced(service: Service, source: Path, chunk_s: str) -> Film:
    options = ("--video", "h264", "--crf", "30", "--speed", "veryfast", "--chunk", chunk_s)
    output = service.out / f"reference-of-{source.name}"
    done = service.json("transcode", source, "-o", output, *options)
    assert done["stats"]["retries"] == 0
    return Film(source, options, done["outputs"][0]["sha256"], done["stats"]["chunks"])
