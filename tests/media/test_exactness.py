"""A lossless transcode in chunks is the source, frame by frame and time by time.

Made sources are kept at their size. Those of the corpus are compared in small, with the source
through the same filters: each frame that is decoded wrong differs there, too, and most of the time
went into large frames without a loss.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import InputUnsupported
from media.probing.in_child import inspect_in_child
from media.transcode.mux import FINEST_CLOCK_S
from tests.conftest import corpus_files
from tests.media.engine import Made, frames, transcode
from tests.media.made import MADE, make

LOSSLESS: dict[str, Any] = {"video": {"crf": 0, "speed": "ultrafast"}, "audio": {"codec": "none"}}
SMALL: dict[str, Any] = {"video": {**LOSSLESS["video"], "height": 180}, "audio": {"codec": "none"}}
ONE_CHUNK = {"one-keyframe.mp4", "intra-refresh.mp4", "h264.avi", "h264.flv"}
LONG = ("long-1080p-av1.mp4", "long-1080p-lowbitrate.mp4")


def assert_equal(made: Made, source: Path, slack: Fraction = Fraction(0)) -> None:
    assert made.plan.video is not None
    pixel_format = made.plan.video.pixel_format
    before = frames(source, pixel_format, *made.plan.video.filters)
    after = frames(made.path, pixel_format)
    assert len(after) == len(before)
    differing = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a[1] != b[1]]
    assert not differing, f"frames that differ: {differing[:10]}"
    worst = max(abs(a[0] - b[0]) for a, b in zip(before, after, strict=True))
    if made.plan.video.time_base < FINEST_CLOCK_S:  # such a clock is told in microseconds
        slack = FINEST_CLOCK_S
    assert worst <= slack, f"a frame is {float(worst):.6f} s off"


@pytest.mark.parametrize("name", MADE)
async def test_lossless_chunks_equal_the_made_source(name: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=2, **LOSSLESS)
    assert made.plan.video is not None
    assert not made.fell_back
    if name in ONE_CHUNK:
        assert len(made.plan.video.chunks) == 1
    else:
        assert len(made.plan.video.chunks) >= 3
    assert_equal(made, source)


@pytest.mark.parametrize("speed", ["veryfast", "slow"])
@pytest.mark.parametrize("name", ["freeze.mp4", "open-gop.mp4", "variable-rate.mp4"])
async def test_lossy_chunks_with_b_frames_keep_every_time(
    name: str, speed: str, tmp_path: Path
) -> None:
    """Chunks reorder by different lengths; the joined file must not show it."""
    source = make(name, tmp_path)
    lossy: dict[str, Any] = {"video": {"crf": 30, "speed": speed}, "audio": {"codec": "none"}}
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=1, **lossy)
    assert len(made.chunks) >= 3
    before, after = frames(source, "yuv420p"), frames(made.path, "yuv420p")
    assert [time for time, _ in after] == [time for time, _ in before]


@pytest.mark.parametrize(
    "name", ["closed-gop.mp4", "open-gop-milliseconds.mkv", "variable-rate.mp4"]
)
async def test_matroska_keeps_every_time_to_the_millisecond(name: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    made = await transcode(source, tmp_path / "out.mkv", chunk_s=2, **LOSSLESS)
    assert_equal(made, source, slack=Fraction(1, 1000))


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [p for p in corpus_files(".mp4", ".webm", ".ts", ".avi", ".mkv") if p.name not in LONG],
    ids=lambda path: path.name,
)
async def test_lossless_chunks_equal_the_corpus_source(source: Path, tmp_path: Path) -> None:
    if not (await inspect_in_child(source))[0].video:
        with pytest.raises(InputUnsupported, match="no picture"):
            await transcode(source, tmp_path / "out.mp4", **SMALL)
        return
    index = (await inspect_in_child(source))[1]
    assert index is not None
    length = (index.end_pts - index.pts[0]) * index.time_base
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=length / 5, **SMALL)
    assert not made.fell_back
    assert made.plan.video is not None
    pieces = len(made.plan.video.chunks)
    inner = [pts for pts in index.keyframes if pts > index.pts[0]]
    assert pieces >= 2 or index.unreliable or not inner
    assert_equal(made, source)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
async def test_a_clip_of_a_long_source_equals_its_frames(
    name: str, corpus: Path, tmp_path: Path
) -> None:
    made = await transcode(
        corpus / name, tmp_path / "out.mp4", start=200, end=206, chunk_s=2, **SMALL
    )
    assert made.plan.video is not None
    after = frames(made.path, made.plan.video.pixel_format)
    wanted = ("trim=start=200:end=206", *made.plan.video.filters)
    before = frames(corpus / name, made.plan.video.pixel_format, *wanted, from_s=199)
    assert [md5 for _, md5 in after] == [md5 for _, md5 in before]
