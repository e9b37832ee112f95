"""A child's failure is blamed on what caused it: the input, or the machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from longtake.errors import ProcessStalled, ResourceExhausted, StorageUnavailable
from media import isolate
from media.command import Ffmpeg
from media.process import Limits, run_ffmpeg


def _encode(target: Path) -> list[str]:
    source = ("-f", "lavfi", "-i", "testsrc2=s=1920x1080:d=1")
    return Ffmpeg.quiet().then(*source, "-c:v", "libx264").write(target, "mp4").arguments()


async def test_an_output_that_cannot_be_opened_is_no_fault_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="gone cannot be written"):
        await run_ffmpeg(_encode(tmp_path / "gone" / "a.mp4"))


async def test_too_little_memory_is_no_fault_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(ResourceExhausted, match="memory"):
        await run_ffmpeg(_encode(tmp_path / "a.mp4"), limits=Limits(memory_bytes=400 << 20))


async def test_a_reader_that_stands_still_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "STALL_S", 0.5)
    with pytest.raises(ProcessStalled, match="stood still"):
        await isolate.in_child(time.sleep, 60)
