"""A bit rate that is aimed at is met by the whole, and hard scenes get more of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.rates import share
from tests.media.engine import frames, run, transcode

CODECS: dict[str, dict[str, Any]] = {
    "h264": {"speed": "veryfast"},
    "hevc": {"speed": "ultrafast"},
    "vp9": {"speed": 5},
    "av1": {"speed": 11},
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of 320x180: the first half is easy, the second noisy; a keyframe every second."""
    target = tmp_path_factory.mktemp("mixed") / "mixed.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=8"),
        *("-vf", "noise=alls=25:allf=t:enable='gte(t,4)'", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-crf", "14", "-g", "25", "-pix_fmt", "yuv420p", target),
    )
    return target


def files_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("codec", CODECS)
async def test_the_whole_meets_its_bit_rate(codec: str, mixed: Path, tmp_path: Path) -> None:
    video = {"codec": codec, "bitrate_bps": 400_000} | CODECS[codec]
    made = await transcode(mixed, tmp_path / "out.mp4", video=video, chunk_s=2)
    assert len(made.chunks) == 4
    assert len(frames(made.path, "gray")) == 200
    sizes = [path.stat().st_size for path in made.chunks]
    assert made.facts.video[0].bitrate_bps == pytest.approx(400_000, rel=0.1)
    assert min(sizes[2:]) > max(sizes[:2])


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
async def test_a_rate_far_above_the_need_is_met(codec: str, tmp_path: Path) -> None:
    """A still scene under fine noise, at many times the bytes of the first pass."""
    still = tmp_path / "still.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc=s=320x180:r=12:d=4", "-vf", "noise=alls=4:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-g", "12", still),
    )
    video = {"codec": codec, "bitrate_bps": 700_000} | CODECS[codec]
    made = await transcode(still, tmp_path / "out.mp4", video=video, chunk_s=2)
    assert made.facts.video[0].bitrate_bps == pytest.approx(700_000, rel=0.05)


async def test_a_second_run_gives_the_same_bytes_and_leaves_no_statistics(
    mixed: Path, tmp_path: Path
) -> None:
    video = {"codec": "h264", "bitrate_bps": 300_000, "speed": "veryfast"}
    first = await transcode(mixed, tmp_path / "a.mp4", video=video, chunk_s=2, end=4)
    again = await transcode(mixed, tmp_path / "b.mp4", video=video, chunk_s=2, end=4)
    assert first.path.read_bytes() == again.path.read_bytes()
    assert not [path for path in files_of(tmp_path) if ".pass" in path.name]


@given(st.integers(1, 10**12), st.lists(st.integers(1, 10**9), min_size=1, max_size=50))
def test_shares_add_up_and_follow_the_needs(total: int, needs: list[int]) -> None:
    shares = share(total, needs)
    assert len(shares) == len(needs)
    assert total <= sum(shares) <= total + len(needs)
    for size, need in zip(shares, needs, strict=True):
        assert abs(size - total * need / sum(needs)) <= 1
