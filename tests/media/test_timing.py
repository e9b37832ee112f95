"""Constant frame rate: the exact grid, from any source, and sound beside it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from longtake.contracts import VideoOptions
from tests.media.engine import frames, run, transcode
from tests.media.test_av_sync import assert_together
from tests.media.test_filters import EXACT, QUIET, interlaced, picture, variable


@pytest.mark.parametrize("rate", ["30", "30000/1001", "12"])
async def test_a_variable_source_lies_on_the_grid(rate: str, tmp_path: Path) -> None:
    source = variable(tmp_path / "in.mp4")
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, video=EXACT | {"frame_rate": rate}, **QUIET
    )
    assert len(made.chunks) >= 3
    times = [time for time, _ in frames(made.path, "yuv420p")]
    assert {b - a for a, b in pairwise(times)} == {1 / Fraction(rate)}
    assert abs(len(times) / Fraction(rate) - 6) <= 1 / Fraction(rate)
    # Each place shows the last frame of the source that is nearest to it, or came before.
    before = frames(source, "yuv420p")
    shown = dict(frames(made.path, "yuv420p"))
    for time in times[:: len(times) // 9]:
        edge = time + Fraction(1, 2) / Fraction(rate)
        assert shown[time] == [md5 for at, md5 in before if at < edge][-1]


async def test_every_second_frame_of_a_constant_source(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", "testsrc2=s=320x180", rate="50", seconds=4)
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, video=EXACT | {"frame_rate": 25}, **QUIET
    )
    before, after = frames(source, "yuv420p"), frames(made.path, "yuv420p")
    assert len(after) == 100
    assert sum(md5 in dict.fromkeys(m for _, m in before) for _, md5 in after) == 100
    assert len({md5 for _, md5 in after}) >= 99


async def test_a_slower_constant_source_stays(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", "testsrc2=s=320x180", seconds=2)
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | {"frame_rate": 30}, **QUIET)
    assert frames(made.path, "yuv420p") == frames(source, "yuv420p")


async def test_a_clip_lies_on_a_grid_of_its_own(tmp_path: Path) -> None:
    source = variable(tmp_path / "in.mp4")
    job = {"video": EXACT | {"frame_rate": 25}, "start": "0.5", "end": "4.1", **QUIET}
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=1, **job)
    times = [time for time, _ in frames(made.path, "yuv420p")]
    assert times == [Fraction(n, 25) for n in range(len(times))]
    assert len(times) == 90


async def test_flash_and_beep_stay_together_on_the_grid(tmp_path: Path) -> None:
    """The case of the screen recording: a freeze, and frames that come when they like."""
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "color=black:s=320x180:r=60:d=6", "-f", "lavfi", "-i"),
        "aevalsrc='if(between(t,5,5.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=6",
        "-vf",
        "select='lt(t,1)+between(t,2.5,3.999)*not(mod(n,6))+gte(t,4.5)',"
        "drawbox=c=white:t=fill:enable='between(t,5,5.099)'",
        *("-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "60", "-crf", "30", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "96k", "-video_track_timescale", "90000", source),
    )
    video = {"crf": 28, "speed": "ultrafast", "frame_rate": 30}
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=1, video=video)
    assert_together(made.path, tmp_path, 5)


def combing(path: Path, number: int) -> int:
    """How far lines lie from the mean of their neighbours, summed over a frame."""
    listed = run(
        "-i", path, "-vf",
        f"select='eq(n,{number})',format=gray,"
        f"convolution='{':'.join(['0 -1 0 0 2 0 0 -1 0'] * 4)}',signalstats,metadata=print:file=-",
        "-f", "null", "-",
    )  # fmt: skip
    return int(float(listed.split("YAVG=")[1].split()[0]) * 1000)


async def test_deinterlaced_frames_have_no_combs_and_keep_their_times(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "color=black:s=320x180:r=50:d=4", "-f", "lavfi", "-i"),
        *("color=white:s=60x100:r=50:d=4", "-filter_complex"),
        "[0][1]overlay=x='mod(t*200,260)':y=40,tinterlace=interleave_top",
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", "-g", "25"),
        *("-flags", "+ildct+ilme", "-pix_fmt", "yuv420p", source),
    )
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, video=EXACT | {"deinterlace": "auto"}, **QUIET
    )
    assert made.source.video[0].interlaced
    assert not made.facts.video[0].interlaced
    before, after = frames(source, "yuv420p"), frames(made.path, "yuv420p")
    assert [time for time, _ in after] == [time for time, _ in before]
    assert "interlaced" not in " ".join(made.plan.warnings)
    assert combing(made.path, 50) * 3 < combing(source, 50)


@pytest.mark.parametrize(
    ("rotation", "turn"),
    [(90, "transpose=cclock"), (180, "hflip,vflip"), (270, "transpose=clock")],
)
async def test_a_turned_picture_is_deinterlaced_before_it_is_turned(
    rotation: int, turn: str, tmp_path: Path
) -> None:
    """Turned first, the lines of two moments become columns, which no deinterlacer knows."""
    flat, source = interlaced(tmp_path / "flat.mp4"), tmp_path / "in.mp4"
    run("-display_rotation", rotation, "-i", flat, "-c", "copy", source)
    video = EXACT | {"deinterlace": "auto"}
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=1, video=video, **QUIET)
    assert len(made.chunks) >= 3
    assert made.facts.video[0].rotation == 0
    right = frames(flat, "yuv420p", f"bwdif=mode=send_frame:parity=auto,settb=1/12800,{turn}")
    assert frames(made.path, "yuv420p") == right


async def test_an_interlaced_picture_stays_so_unless_asked(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "in.mp4")
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT, **QUIET)
    assert frames(made.path, "yuv420p") == frames(source, "yuv420p")
    assert "the picture is interlaced and stays so" in made.plan.warnings


async def test_a_single_frame_has_its_place(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180", "-frames:v", "1", "-c:v", "libx264"),
        *("-pix_fmt", "yuv420p", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | {"frame_rate": 2}, **QUIET)
    assert len(frames(made.path, "yuv420p")) == 1


@pytest.mark.parametrize("said", [29.97, "29.97", "30000/1001"])
def test_rates_that_people_round_are_exact(said: float | str) -> None:
    assert VideoOptions.model_validate({"frame_rate": said}).frame_rate == Fraction(30_000, 1001)


async def test_a_clock_finer_than_a_microsecond_loses_no_frame(tmp_path: Path) -> None:
    """Two frames of this clock, by which B-frames delay the picture, are 66,654.4 us."""
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=23040000/767849", "-frames:v", "60"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *("-video_track_timescale", "23040000", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", video={"speed": "veryfast"}, **QUIET)
    times = [time for time, _ in frames(made.path, "yuv420p")]
    assert len(times) == 60
    wanted = [n * Fraction(767_849, 23_040_000) for n in range(60)]
    assert max(abs(a - b) for a, b in zip(times, wanted, strict=True)) <= Fraction(2, 1_000_000)


async def test_chapters_of_the_source_move_no_frame(tmp_path: Path) -> None:
    """Two frames of delay are 133.3 ms, and chapters count in whole ones."""
    (tmp_path / "chapters.txt").write_text(";FFMETADATA1\n[CHAPTER]\nSTART=0\nEND=1000000000\n")
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=2", "-i", tmp_path / "chapters.txt"),
        *("-map_chapters", "1", "-c:v", "libx264", "-pix_fmt", "yuv420p", source),
    )
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, video={"frame_rate": 15, "speed": "veryfast"}
    )
    assert made.facts.chapter_count == 1
    times = [time for time, _ in frames(made.path, "yuv420p")]
    assert times == [Fraction(n, 15) for n in range(30)]


async def test_a_picture_that_begins_between_two_ticks_is_on_the_grid(tmp_path: Path) -> None:
    """A grid of 12.5 frames a second is told in ticks of 1/12800 s."""
    source = tmp_path / "in.ts"
    run(
        *("-f", "lavfi", "-i", "sine=d=2", "-itsoffset", "0.0058"),
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-c:v", "mpeg2video"),
        *("-c:a", "mp2", "-avoid_negative_ts", "disabled", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", video={"frame_rate": "12.5"})
    times = [time for time, _ in frames(made.path, "yuv420p")]
    assert {b - a for a, b in pairwise(times)} == {Fraction(8, 100)}
    before, after = made.source, made.facts
    late = before.video[0].start_s - before.start_s
    assert late > 0
    assert abs(after.video[0].start_s - late) <= 1 / 25_600
