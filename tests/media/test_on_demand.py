"""A child that reads a file on demand makes what it makes of the whole, and nothing of a hole."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest

from longtake.contracts import Transcode
from longtake.errors import InputCorrupt
from longtake.presets import resolve
from media.children.on_demand import asked_by, lend
from media.children.process import ProcessFailed, run_ffmpeg
from media.children.sandbox import holds_reads
from media.ffmpeg.tools import ffmpeg
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.transcode.plan import Plan
from media.transcode.planning import make_plan
from media.transcode.video import encode_chunk
from storage import portions as blocks
from tests.media.engine import no_tick, run
from tests.media.made import make
from tests.storage.remote_file import RemoteFile, portions_of

held = pytest.mark.skipif(not holds_reads(), reason="this system cannot hold the reads of a child")

SOURCES = (
    *("closed-gop.mp4", "variable-rate.mp4", "edit-list.mp4", "start-offset.mp4"),
    *("ten-bit-422.mov", "open-gop-milliseconds.mkv", "av1.mkv", "vp9.webm", "h264.avi"),
    *("hevc-open-gop.ts", "mpeg2-interlaced.ts"),
)
"""One of each container, and of what makes times odd."""


async def planned(source: Path) -> tuple[Plan, Index]:
    options = {"codec": "h264", "speed": "ultrafast", "crf": 30}
    job = Transcode.model_validate(
        {"input": str(source), "output": "/out.mp4", "video": options, "audio": {"codec": "none"}}
    )
    facts, index = await inspect_in_child(source)
    assert index is not None
    return make_plan(facts, index, resolve(job), chunk_s=Fraction(2)), index


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="reads are held by Linux on these processors",
)
def test_linux_holds_the_reads_of_children() -> None:
    assert holds_reads()


@held
@pytest.mark.parametrize("name", SOURCES)
async def test_a_chunk_of_portions_is_the_chunk_of_the_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 12)  # for sources that are small
    source = make(name, tmp_path)
    plan, index = await planned(source)
    chunks = plan.picture.chunks
    remote = RemoteFile(source)
    lent = portions_of(remote, tmp_path / "host")
    lend(lent)
    for chunk in {chunks[len(chunks) // 2], chunks[-1]}:
        whole, part = tmp_path / "whole.chunk", tmp_path / "part.chunk"
        await encode_chunk(source, plan, index, chunk, whole, no_tick)
        await encode_chunk(lent.path, plan, index, chunk, part, no_tick)
        assert part.read_bytes() == whole.read_bytes()
    assert 0 < remote.gave <= source.stat().st_size


@dataclass
class Slow:
    """A file that comes late, or not at all."""

    path: Path
    data: bytes
    late_s: float = 0.0
    refuses_from: int = sys.maxsize
    asked: list[tuple[int, int]] = field(default_factory=list)

    def provide(self, start: int, end: int) -> None:
        self.asked.append((start, end))
        if start >= self.refuses_from:
            raise InputCorrupt("film.mp4 changed while the job ran")
        time.sleep(self.late_s if len(self.asked) == 1 else 0.0)
        with self.path.open("r+b") as file:
            file.seek(start)
            file.write(self.data[start:end])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    target = tmp_path / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4", "-c:v", "libx264", "-g", "25"),
        *("-preset", "ultrafast", "-crf", "10", "-movflags", "+faststart", target),
    )
    return target


def on_demand(film: Path, **how: float) -> Slow:
    path = film.with_name("holes.mp4")
    data = film.read_bytes()
    with path.open("wb") as file:
        file.truncate(len(data))
    slow = Slow(path, data)
    for name, value in how.items():
        setattr(slow, name, value)
    lend(slow)
    return slow


def copying(source: Path, target: Path) -> list[str]:
    begin = [ffmpeg(), "-nostdin", "-loglevel", "error", "-y", "-progress", "pipe:1"]
    return [*begin, "-i", f"file:{source}", "-c", "copy", "-f", "mp4", f"file:{target}"]


@held
async def test_bytes_that_cannot_be_had_fail_the_child_in_their_own_words(
    film: Path, tmp_path: Path
) -> None:
    slow = on_demand(film, refuses_from=300_000)
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await run_ffmpeg(copying(slow.path, tmp_path / "out.mp4"))


@held
async def test_a_child_that_waits_for_its_source_does_not_stand_still(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = on_demand(film, late_s=1.5)
    started = time.monotonic()
    await run_ffmpeg(copying(slow.path, tmp_path / "late.mp4"), stall_s=0.5)
    assert time.monotonic() - started > 1.5
    await run_ffmpeg(copying(film, tmp_path / "early.mp4"))
    assert (tmp_path / "late.mp4").read_bytes() == (tmp_path / "early.mp4").read_bytes()


@held
@pytest.mark.parametrize(
    "way",
    [
        "mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)",
        "os.preadv(file.fileno(), [bytearray(10)], 0)",
        "os.readv(file.fileno(), [bytearray(10)])",
        "os.sendfile(sys.stdout.fileno(), file.fileno(), 0, 10)",
        "os.copy_file_range(file.fileno(), os.open('/dev/null', os.O_WRONLY), 10)",
    ],
)
async def test_no_other_way_leads_to_a_hole(way: str, film: Path) -> None:
    slow = on_demand(film)
    code = f"import mmap, os, sys; file = open(sys.argv[1][5:], 'rb', buffering=0); {way}"
    with pytest.raises(ProcessFailed, match="PermissionError"):
        await run_ffmpeg([sys.executable, "-I", "-S", "-c", code, f"file:{slow.path}"])
    assert slow.asked == []


@held
async def test_reads_at_a_position_are_held_too(film: Path) -> None:
    slow = on_demand(film)
    code = "import os, sys; sys.exit(os.pread(os.open(sys.argv[1][5:], 0), 9, 99) != {data!r})"
    program = code.format(data=slow.data[99:108])
    await run_ffmpeg([sys.executable, "-I", "-S", "-c", program, f"file:{slow.path}"])
    assert slow.asked == [(99, 108)]


async def test_a_child_is_not_held_by_what_nobody_lent(film: Path, tmp_path: Path) -> None:
    assert asked_by(copying(film, tmp_path / "out.mp4")) is None
