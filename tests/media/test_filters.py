"""Picture filters: in chunks the same pixels as in one piece, and each does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.media.engine import Made, frames, run, transcode

QUIET: dict[str, Any] = {"audio": {"codec": "none"}}
EXACT: dict[str, Any] = {"crf": 0, "speed": "ultrafast"}


def picture(target: Path, source: str, *options: str, rate: str = "25", seconds: int = 6) -> Path:
    """A small film with a keyframe every second."""
    run(
        *("-f", "lavfi", "-i", f"{source}:r={rate}", "-t", str(seconds), *options),
        *("-c:v", "libx264", "-preset", "ultrafast", "-threads", "2", "-qp", "10"),
        *("-force_key_frames", "expr:gte(t,n_forced)", "-pix_fmt", "yuv420p", target),
    )
    return target


def interlaced(target: Path) -> Path:
    return picture(
        target,
        "testsrc2=s=320x180",
        *("-vf", "tinterlace=interleave_top", "-flags", "+ildct+ilme"),
        rate="50",
    )


def variable(target: Path) -> Path:
    """Steps of 1/60, 2/60 and 0.6 s."""
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=60:d=6", "-vf"),
        "select='lt(t,1)+between(t,1.6,4)*not(mod(n,3))+gte(t,4.6)'",
        *("-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-qp", "10", "-g", "30", "-pix_fmt", "yuv420p"),
        *("-video_track_timescale", "90000", target),
    )
    return target


def logo(target: Path) -> Path:
    """A PNG: red on the left, green that half shines through on the right."""
    run(
        *("-f", "lavfi", "-i", "color=red:s=40x20,format=rgba", "-frames:v", "1", "-vf"),
        "geq=r='if(lt(X,20),255,0)':g='if(lt(X,20),0,255)':b=0:a='if(lt(X,20),255,128)'",
        target,
    )
    return target


SRT = """1
00:00:01,000 --> 00:00:02,000
<i>Hello</i> {\\pos(1,1)}there

2
00:00:03,520 --> 00:00:04,200
second
"""


def captions(target: Path) -> Path:
    target.write_text(SRT, "utf-8")
    return target


ASKED: dict[str, Any] = {
    "crop": {"crop": "200:100:60:40"},
    "pad": {"pad": "256x256", "pixel_format": "yuv420p"},
    "deinterlace": {"deinterlace": "auto"},
    "denoise": {"denoise": "strong"},
    "deinterlace and denoise": {"deinterlace": "auto", "denoise": "light"},
    "frame rate down": {"frame_rate": "30000/1001"},
    "frame rate of a grid": {"frame_rate": 10},
    "frame rate, all together": {
        "frame_rate": "24000/1001", "deinterlace": "auto", "denoise": "medium", "fit": "160x160",
    },
}  # fmt: skip


async def both(source: Path, folder: Path, options: dict[str, Any]) -> tuple[Made, Made]:
    job: dict[str, Any] = {"video": EXACT | options, **QUIET}
    chunks = await transcode(source, folder / "chunks.mp4", chunk_s=1, **job)
    one = await transcode(source, folder / "one.mp4", chunk_s=60, **job)
    assert len(chunks.chunks) >= 3
    assert len(one.chunks) == 1
    assert chunks.errors == one.errors == 0
    return chunks, one


def assert_same(one: Path, other: Path) -> None:
    first, second = frames(one, "yuv420p"), frames(other, "yuv420p")
    assert len(first) == len(second)
    assert [n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b] == []


@pytest.mark.parametrize("asked", ASKED)
async def test_chunks_have_the_pixels_of_one_piece(asked: str, tmp_path: Path) -> None:
    name = "in.mp4"
    source = interlaced(tmp_path / name) if "deinterlace" in ASKED[asked] else None
    source = source or (variable if "rate" in asked else noisy)(tmp_path / name)
    chunks, one = await both(source, tmp_path, ASKED[asked])
    assert_same(chunks.path, one.path)


async def test_overlays_in_chunks_have_the_pixels_of_one_piece(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", "testsrc2=s=320x180")
    options = {
        "watermark": {"image": str(logo(tmp_path / "logo.png")), "opacity": 0.5},
        "captions": {"file": str(captions(tmp_path / "a.srt"))},
    }
    chunks, one = await both(source, tmp_path, options)
    assert_same(chunks.path, one.path)


def noisy(target: Path) -> Path:
    return picture(
        target, "testsrc2=s=320x180", "-vf", "noise=alls=24:allf=t:all_seed=5", seconds=4
    )
