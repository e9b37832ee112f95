"""Every rendition shows the source's frames, at their times, with keyframes on one grid."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from longtake.contracts.package import Package
from longtake.packages import resolve_package
from media.package.plan import plan_package
from media.probing.in_child import inspect_in_child
from media.transcode.fragments import fragment_times, presentation_times, time_scale
from tests.media.engine import run
from tests.media.made import make
from tests.media.rungs import distance, end_of, grey, make_renditions

CUT = ("closed-gop.mp4", "open-gop-milliseconds.mkv", "variable-rate.mp4", "freeze.mp4")
OFFSET = ("edit-list.mp4", "start-offset.mp4", "ntsc-transport.ts")
HARD = ("interlaced.ts", "one-keyframe.mp4", "intra-refresh.mp4", "h264.avi", "ten-bit-422.mov")


@pytest.mark.parametrize("name", [*CUT, *OFFSET, *HARD])
async def test_every_rendition_shows_the_sources_frames(tmp_path: Path, name: str) -> None:
    source = make(name, tmp_path)
    found = await make_renditions(source, tmp_path)
    assert set(found.paths) == {"h264-180p", "h264-90p"}
    assert len(found.made.plan.chunks) > 1 or found.index.unreliable
    index = found.index
    wanted = [(pts - index.pts[0]) * index.time_base + found.start_s for pts in index.pts]
    before = grey(source)
    for path in found.paths.values():
        scale = time_scale(path)
        shown = [Fraction(ticks, scale) for ticks in presentation_times(path)]
        assert shown == wanted or found.index.unreliable
        assert len(shown) == len(wanted)
        after = grey(path)
        assert len(after) == len(wanted)
        if len(before) == len(after):
            own = distance(after, before)
            assert own < 4
            assert own < distance(after[1:], before), "each frame is its own, not its neighbour"
            assert own < distance(after, before[1:])


@pytest.mark.parametrize("name", CUT)
async def test_keyframes_lie_on_the_grid_and_nowhere_else(tmp_path: Path, name: str) -> None:
    found = await make_renditions(make(name, tmp_path), tmp_path)
    times = [(p - found.index.pts[0]) * found.index.time_base for p in found.index.pts]
    shown = [time + found.start_s for time in times]
    wanted = [shown[0]]
    wanted += [b for a, b in pairwise(shown) if math.floor(b / 2) > math.floor(a / 2)]
    for path in found.paths.values():
        assert fragment_times(path) == wanted


@pytest.mark.parametrize("late_s", ["0.08", "2.5", "9"])
@pytest.mark.parametrize("rate", ["25", "30000/1001"])
async def test_a_picture_that_begins_after_its_sound_is_held_from_the_start(
    tmp_path: Path, late_s: str, rate: str
) -> None:
    source = tmp_path / "late.mkv"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=s=160x90:r={rate}:d=11", "-f", "lavfi"),
        *("-i", "sine=300:r=48000:d=11", "-vf", f"setpts=PTS+{late_s}/TB"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", 50, "-c:a", "aac", source),
    )
    found = await make_renditions(source, tmp_path, ladder="fixed")
    assert not found.fell_back
    assert len(found.made.plan.chunks) > 1
    assert "held" in found.made.decisions["lead-in"]
    index = found.index
    own = [pts * index.time_base - index.origin_s for pts in index.pts]
    before, frame_s = grey(source), 1 / Fraction(rate)
    for path in found.paths.values():
        scale = time_scale(path)
        shown = [Fraction(ticks, scale) for ticks in presentation_times(path)]
        held = len(shown) - len(own)
        assert shown[0] == 0
        assert shown[held:] == own
        steps = [b - a for a, b in pairwise(shown[: held + 1])]
        assert min(steps) > frame_s * Fraction(2, 3)
        assert max(steps) < frame_s * Fraction(3, 2)
        grid = [b for a, b in pairwise(shown) if math.floor(b / 2) > math.floor(a / 2)]
        assert fragment_times(path) == [0, *grid]
        after = grey(path)
        assert distance(after[held:], before) < distance(after[held + 1 :], before)
        assert distance(after[:held], before[:1] * held) < 4


async def test_less_than_two_frames_need_no_lead_in(tmp_path: Path) -> None:
    source = tmp_path / "late.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-f", "lavfi"),
        *("-i", "sine=300:r=48000:d=1", "-vf", "setpts=PTS+0.04/TB"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", source),
    )
    found = await make_renditions(source, tmp_path)
    assert found.start_s == Fraction(1, 25)
    for path in found.paths.values():
        assert len(presentation_times(path)) == 25


_ENDS = {
    "film": ("testsrc2=s=160x90:r=25:d=5", 14),
    "ntsc": ("testsrc2=s=160x90:r=30000/1001:d=6.5", 13),
    "one frame": ("testsrc2=s=160x90:r=25:d=0.04", 12),
    "slow": ("testsrc2=s=160x90:r=1/6:d=24", 41),
}


@pytest.mark.parametrize("kind", _ENDS)
async def test_a_picture_that_ends_before_its_sound_is_held_until_the_end(
    tmp_path: Path, kind: str
) -> None:
    source, (picture, sound_s) = tmp_path / "early.mp4", _ENDS[kind]
    run(
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=300:r=48000:d={sound_s}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", 50, "-c:a", "aac", source),
    )
    found = await make_renditions(source, tmp_path)
    index, plan = found.index, found.made.plan
    assert not found.fell_back
    assert len(plan.chunks) > 2, "what is held is cut, too"
    assert "held until the end" in found.made.decisions["lead-out"]
    own = [pts * index.time_base - index.origin_s for pts in index.pts]
    before, rate = grey(source), max(plan.renditions[0].frame_rate or 0, 5)
    for path in found.paths.values():
        scale = time_scale(path)
        shown = [Fraction(ticks, scale) for ticks in presentation_times(path)]
        assert shown[: len(own)] == own, "the source's own are there, at their times"
        held = [index.end_pts * index.time_base, *shown[len(own) + 1 :], end_of(path)]
        assert shown[len(own)] == held[0]
        assert held[-1] == pytest.approx(sound_s, abs=0.001)
        assert {round(float((b - a) * rate), 1) for a, b in pairwise(held)} == {1.0}
        grid = [b for a, b in pairwise(shown) if math.floor(b / 2) > math.floor(a / 2)]
        assert fragment_times(path) == [0, *grid]
        after = grey(path)
        assert distance(after[: len(own)], before) < 4
        assert distance(after[len(own) :], before[-1:] * (len(held) - 1)) < 4


async def test_a_film_whose_keyframes_are_none_is_encoded_in_one_piece(tmp_path: Path) -> None:
    """Some recorders mark pictures as keyframes that need those before them."""
    true, source = tmp_path / "true.mkv", tmp_path / "in.mkv"
    once = "keyint=9999:min-keyint=9999:scenecut=0:log-level=none"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=12")
    run(*picture, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", once, true)
    with av.open(str(true)) as film, av.open(str(source), "w") as untrue:
        track = untrue.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(each for each in film.demux() if each.size):
            packet.is_keyframe = number % 50 == 0
            packet.stream = track
            untrue.mux(packet)
    found = await make_renditions(source, tmp_path)
    assert found.fell_back
    for path in found.paths.values():
        assert len(presentation_times(path)) == 300
        assert fragment_times(path) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("codec", ["hevc", "av1"])
async def test_another_codec_keeps_the_grid(tmp_path: Path, codec: str) -> None:
    """`encode_rungs` fails where a keyframe is missing or one too many; scenes are cut here."""
    source = tmp_path / "cuts.mp4"
    scenes = "testsrc2=s=160x90:r=25:d=9,negate=enable='between(t,1.2,3.4)+between(t,5.1,6.3)'"
    run("-f", "lavfi", "-i", scenes, "-c:v", "libx264", "-preset", "ultrafast", source)
    found = await make_renditions(
        *(source, tmp_path),
        codecs=[codec],
        ladder="fixed",
        speed={"hevc": "ultrafast", "av1": 12},
    )
    assert not found.fell_back
    (path,) = found.paths.values()
    assert len(presentation_times(path)) == 225
    assert fragment_times(path) == [0, 2, 4, 6, 8]


async def test_a_ladder_never_enlarges_and_keeps_the_shape(tmp_path: Path) -> None:
    async def sizes(size: str, ladder: Any = "fixed") -> list[tuple[int, int]]:
        source = tmp_path / f"{size}.mp4"
        flat = f"color=gray:s={size}:r=25:d=0.2"
        run("-f", "lavfi", "-i", flat, "-c:v", "libx264", "-pix_fmt", "yuv444p", source)
        facts, index = await inspect_in_child(source)
        job = Package(input=str(source), output="out", ladder=ladder)
        plan = plan_package(facts, index, resolve_package(job)).plan
        return [(rendition.width, rendition.height) for rendition in plan.renditions]

    assert await sizes("1920x1080") == [(1920, 1080), (1280, 720), (854, 480), (640, 360)]
    assert await sizes("1080x1920") == [(1080, 1920), (720, 1280), (480, 854), (360, 640)]
    assert await sizes("641x361") == [(640, 360), (426, 240)]
    assert await sizes("1440x1080") == [(1440, 1080), (960, 720), (640, 480), (480, 360)]
    assert await sizes("2x2") == [(2, 2)]
    given = [
        {"height": 2160, "max_bitrate_bps": 9_000_000},
        {"height": 90, "max_bitrate_bps": 90_000},
    ]
    assert await sizes("320x180", ladder=given) == [(320, 180), (160, 90)]
    twice = [{"height": 90, "max_bitrate_bps": rate} for rate in (90_000, 180_000)]
    assert await sizes("320x180", ladder=twice) == [(160, 90), (160, 90)]


@pytest.mark.parametrize(("size", "rate"), [("1x1", 25), ("128x96", 12)])
async def test_a_tiny_picture_has_a_level_that_browsers_know(
    tmp_path: Path, size: str, rate: int
) -> None:
    """Level 1b is 9 in the High profile: `avc1.640009`, which Chromium takes for none."""
    source = tmp_path / "tiny.mkv"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=s=128x96:r={rate}:d=1,scale={size}"),
        "-c:v",
        "ffv1",
        source,
    )
    found = await make_renditions(source, tmp_path, ladder="fixed")
    for path in found.paths.values():
        with av.open(str(path)) as film:
            assert (film.streams.video[0].codec_context.extradata or b"")[3] == 11
