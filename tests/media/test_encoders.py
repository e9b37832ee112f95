"""Each encoder of the picture: the planned frames at their times, and the same bytes always."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from longtake.contracts import Transcode, VideoOptions
from longtake.contracts.encode import EncodePreset
from longtake.errors import InputUnsupported, InvalidJob
from longtake.presets import resolve
from media.probing.in_child import inspect_in_child
from media.transcode.planning import make_plan
from tests.media.engine import frames, run, transcode
from tests.media.made import make
from tests.media.rungs import distance, grey

FAST: dict[str, dict[str, Any]] = {
    "h264": {"crf": 30, "speed": "veryfast"},
    "hevc": {"crf": 32, "speed": "ultrafast"},
    "av1": {"crf": 50, "speed": 12},
    "vp9": {"crf": 50, "speed": 8},
    "prores": {"profile": "proxy"},
    "ffv1": {},
}
SUFFIX = {"prores": ".mov", "ffv1": ".mkv"}
MILLISECOND = Fraction(1, 1000)


@contextmanager
def one_core() -> Iterator[None]:
    """Only one core to run on, as on a small machine."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


def times(path: Path) -> list[Fraction]:
    return [time for time, _ in frames(path, "gray")]


@pytest.mark.parametrize("codec", FAST)
async def test_chunks_keep_every_frame_and_time_and_their_bytes(codec: str, tmp_path: Path) -> None:
    source = make("variable-rate.mp4", tmp_path)
    suffix = SUFFIX.get(codec, ".mp4")
    options: dict[str, Any] = {"video": {"codec": codec, "height": 90} | FAST[codec]}
    made = await transcode(source, tmp_path / f"a{suffix}", chunk_s=1, end=5, **options)
    assert len(made.chunks) >= 3
    assert not made.fell_back
    assert made.facts.video[0].codec == codec
    assert made.errors == 0
    before, after = [time for time in times(source) if time < 5], times(made.path)
    slack = MILLISECOND if suffix == ".mkv" else 0
    assert len(after) == len(before)
    assert all(abs(a - b) <= slack for a, b in zip(before, after, strict=True))
    with one_core():
        again = await transcode(source, tmp_path / f"b{suffix}", chunk_s=1, end=5, **options)
    assert again.path.read_bytes() == made.path.read_bytes()


@pytest.mark.parametrize("codec", FAST)
async def test_a_single_frame_is_encoded(codec: str, tmp_path: Path) -> None:
    source = tmp_path / "one.mkv"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25", "-frames:v", "1", "-c:v", "ffv1", source)
    suffix = SUFFIX.get(codec, ".mp4")
    made = await transcode(source, tmp_path / f"out{suffix}", video={"codec": codec} | FAST[codec])
    assert made.facts.video[0].frames == 1


@pytest.mark.parametrize("preset", ["web-480p", None])
async def test_ten_bits_of_h264_replace_the_profile_of_a_preset(
    preset: str | None, tmp_path: Path
) -> None:
    source = make("ten-bit-422.mov", tmp_path)
    video = {"speed": "ultrafast", "pixel_format": "yuv420p10"}
    made = await transcode(source, tmp_path / "out.mp4", end=1, preset=preset, video=video)
    assert made.facts.video[0].pixel_format == "yuv420p10le"
    assert made.facts.video[0].profile == "High 10"


async def test_hevc_carries_the_name_that_apple_plays(tmp_path: Path) -> None:
    source = make("closed-gop.mp4", tmp_path)
    options: dict[str, Any] = {"video": {"codec": "hevc", "end": 2} | FAST["hevc"]}
    options["video"].pop("end")
    made = await transcode(source, tmp_path / "out.mp4", end=2, **options)
    data = made.path.read_bytes()
    assert b"hvc1" in data
    assert b"hev1" not in data


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
async def test_ten_bits_come_out_when_asked_for(codec: str, tmp_path: Path) -> None:
    source = make("ten-bit-422.mov", tmp_path)
    options: dict[str, Any] = {"video": {"codec": codec, "pixel_format": "yuv420p10"} | FAST[codec]}
    made = await transcode(source, tmp_path / "out.mp4", end=1, **options)
    assert made.facts.video[0].pixel_format == "yuv420p10le"


@pytest.mark.parametrize("codec", ["hevc", "vp9"])
async def test_crf_0_is_lossless(codec: str, tmp_path: Path) -> None:
    source = make("open-gop.mp4", tmp_path)
    video = {"codec": codec, "crf": 0, "speed": FAST[codec]["speed"], "pixel_format": "source"}
    made = await transcode(
        source, tmp_path / "out.mkv", preset="remux", video=video, chunk_s=2, end=4
    )
    assert len(made.chunks) >= 2
    before = [md5 for _, md5 in frames(source, "yuv420p")]
    after = [md5 for _, md5 in frames(made.path, "yuv420p")]
    assert after == before[: len(after)]
    assert len(after) == 100


FORMATS = (
    *("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    *("yuva420p", "yuva444p10le", "gray", "gray10le", "yuv411p", "gbrp10le", "bgra", "rgb24"),
)


@pytest.mark.parametrize("pixel_format", FORMATS)
async def test_ffv1_keeps_every_sample_of_every_pixel_format(
    pixel_format: str, tmp_path: Path
) -> None:
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=97x54:r=30000/1001:d=2"),
        *("-vf", f"format=yuva444p,geq=lum='lum(X,Y)':a='mod(X+Y+N,256)',format={pixel_format}")
        if "a" in pixel_format.removeprefix("gray").removeprefix("gbr")
        else ("-vf", f"noise=alls=20:allf=t,format={pixel_format}"),
        *("-c:v", "png" if pixel_format == "rgb24" else "ffv1"),
        *("-g", "15", "-pix_fmt", pixel_format, source),
    )
    made = await transcode(source, tmp_path / "out.mkv", video={"codec": "ffv1"}, chunk_s=1)
    assert made.plan.container == "mkv"
    assert len(made.chunks) >= 2
    before, after = frames(source, pixel_format), frames(made.path, pixel_format)
    assert [md5 for _, md5 in after] == [md5 for _, md5 in before]
    assert all(abs(a[0] - b[0]) <= MILLISECOND for a, b in zip(before, after, strict=True))


async def test_prores_4444_keeps_alpha(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1,format=yuva444p10le"),
        *("-c:v", "ffv1", source),
    )
    video = {"codec": "prores", "profile": "4444"}
    made = await transcode(source, tmp_path / "out.mov", video=video)
    assert made.facts.video[0].pixel_format in ("yuva444p10le", "yuva444p12le")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
async def test_a_cap_holds_and_does_not_starve_the_picture(codec: str, tmp_path: Path) -> None:
    """Also with a clock of ticks that are no frames, which a rate control could take for them."""
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=4", "-vf", "noise=alls=40:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "50"),
        *("-output_ts_offset", "7.3", "-movflags", "+frag_keyframe+empty_moov", source),
    )
    options = FAST[codec] | {"codec": codec, "crf": 20, "max_bitrate_bps": 100_000}
    made = await transcode(source, tmp_path / "out.mp4", video=options, chunk_s=2)
    rate = made.facts.video[0].bitrate_bps or 0
    assert 50_000 < rate < 130_000


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
async def test_a_player_with_the_caps_buffer_is_never_starved(codec: str, tmp_path: Path) -> None:
    """Whatever a chunk spends, the next one must not spend the same again."""
    source, most = tmp_path / "in.mp4", 200_000
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=12", "-vf", "noise=alls=40:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "25", source),
    )
    options = FAST[codec] | {"codec": codec, "crf": 20, "max_bitrate_bps": most}
    made = await transcode(source, tmp_path / "out.mp4", video=options, chunk_s=3)
    assert len(made.chunks) == 4
    assert (made.facts.video[0].bitrate_bps or 0) < 1.1 * most
    owed = worst = last = 0.0
    with av.open(str(made.path)) as film:
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                now = float(packet.dts * packet.time_base)
                owed = max(0.0, owed - (now - last) * most) + 8 * packet.size
                worst, last = max(worst, owed), now
    assert worst <= 2 * most


@pytest.mark.parametrize("codec", FAST)
async def test_chunks_with_more_threads_join_the_others_and_keep_their_bytes(
    codec: str, tmp_path: Path
) -> None:
    """Only without a cap have the chunks that are given last more threads."""
    source = tmp_path / "in.mp4"
    film = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=5", "-vf", "noise=alls=20:allf=t")
    run(*film, "-g", "25", "-c:v", "libx264", "-preset", "ultrafast", source)
    video = VideoOptions.model_validate({"codec": codec} | FAST[codec])
    preset = EncodePreset(title="of a test", audience="nobody", video=video)
    suffix = SUFFIX.get(codec, ".mp4")
    made = await transcode(source, tmp_path / f"a{suffix}", chunk_s=1, preset=preset)
    assert len(made.chunks) == 5
    assert len(made.plan.picture.hastened) == 2
    assert made.errors == 0
    assert not made.fell_back
    # A chunk that is decoded by the headers of another shows something else.
    before, after = grey(source), grey(made.path)
    assert len(before) == len(after) == 125
    assert max(distance([a], [b]) for a, b in zip(before, after, strict=True)) < 5
    with one_core():
        again = await transcode(source, tmp_path / f"b{suffix}", chunk_s=1, preset=preset)
    assert again.path.read_bytes() == made.path.read_bytes()


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
async def test_the_chunks_that_are_given_last_have_two_threads(codec: str, tmp_path: Path) -> None:
    """They fill the processors of those that have ended before; rate control allows only one."""
    source = tmp_path / "in.mp4"
    grain = "noise=alls=30:allf=t:enable='gt(t,1)'"
    film = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=6", "-vf", grain, "-g", "25")
    run(*film, "-c:v", "libx264", "-preset", "ultrafast", source)
    facts, index = await inspect_in_child(source)

    def threads(length_s: int, **more: int) -> list[int]:
        video = VideoOptions.model_validate({"codec": codec} | FAST[codec] | more)
        preset = EncodePreset(title="of a test", audience="nobody", video=video)  # has no cap
        job = Transcode(input=str(source), output="out.mp4", preset=preset)
        plan = make_plan(facts, index, resolve(job), chunk_s=Fraction(length_s))
        return [plan.of_chunk(n).picture.threads for n in range(len(plan.picture.chunks))]

    assert sorted(threads(1)) == [1, 1, 1, 1, 2, 2]
    assert threads(1)[0] == 2  # the poorest
    assert threads(2) == [2, 2, 2]
    assert threads(60) == [4]
    if codec != "vp9":
        assert threads(1, max_bitrate_bps=900_000) == [1] * 6


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
async def test_a_cap_that_is_reached_gives_the_same_bytes_twice(codec: str, tmp_path: Path) -> None:
    """One keyframe, so no cut: other encodes give it four threads, which x264's rate control
    would see. It is halved instead."""
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-vf", "noise=alls=30:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "250", source),
    )
    video = FAST[codec] | {"codec": codec, "crf": 20, "max_bitrate_bps": 300_000}
    first = await transcode(source, tmp_path / "a.mp4", video=video)
    again = await transcode(source, tmp_path / "b.mp4", video=video)
    assert first.plan.video is not None
    assert (len(first.chunks), first.plan.video.threads) == (2, 1)
    assert first.facts.video[0].frames == 75
    assert first.path.read_bytes() == again.path.read_bytes()


@pytest.mark.parametrize(
    ("output", "video", "words"),
    [
        ("x.mp4", {"codec": "av1", "crf": 0}, "from 1 .* to 63"),
        ("x.mp4", {"codec": "h264", "crf": 60}, "from 0 .* to 51"),
        ("x.mp4", {"codec": "av1", "speed": "medium"}, "a number from 0"),
        ("x.mp4", {"codec": "hevc", "speed": 5}, "ultrafast, .* veryslow"),
        ("x.mov", {"codec": "prores", "crf": 20}, "profile"),
        ("x.mkv", {"codec": "ffv1", "crf": 20}, "lossless"),
        ("x.mkv", {"codec": "ffv1", "max_bitrate_bps": 1_000_000}, "bit rate"),
        ("x.mp4", {"profile": "high", "pixel_format": "yuv420p10"}, "holds 8 bits"),
        ("x.mp4", {"profile": "high", "pixel_format": "source"}, "holds 8 bits"),
        ("x.mp4", {"profile": "high", "crf": 0}, "cannot be lossless"),
        ("x.webm", {"codec": "vp9", "max_bitrate_bps": 1_000_000}, "bitrate_bps"),
        ("x.mov", {"codec": "prores", "profile": "high"}, "hq"),
        ("x.mp4", {"codec": "h264", "crf": 20, "bitrate_bps": 1_000_000}, "drop one"),
        ("x.mp4", {"codec": "prores"}, r"\.mov or \.mkv"),
        ("x.webm", {"codec": "h264"}, "--video av1, vp9|--video vp9, av1"),
    ],
)
def test_options_of_another_codec_are_refused_with_the_right_ones(
    output: str, video: dict[str, Any], words: str
) -> None:
    job = Transcode(input="in.mp4", output=output, video=VideoOptions(**video))
    with pytest.raises(InvalidJob, match=words):
        resolve(job)


async def test_a_pixel_format_that_no_codec_here_holds_names_another(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1,format=bgra", "-c:v", "ffv1", source)
    video = {"codec": "av1", "pixel_format": "source"}
    with pytest.raises(InputUnsupported, match="ffv1"):
        await transcode(source, tmp_path / "out.mp4", video=video)


@pytest.mark.parametrize(
    ("suffix", "video", "lost"),
    [
        (".mp4", {"codec": "h264", "speed": "veryfast"}, True),
        (".mov", {"codec": "prores"}, True),
        (".mov", {"codec": "prores", "profile": "4444"}, False),
        (".mkv", {"codec": "ffv1"}, False),
    ],
)
async def test_transparency_is_kept_or_named(
    suffix: str, video: dict[str, Any], lost: bool, tmp_path: Path
) -> None:
    source = tmp_path / "in.mov"
    run(
        *("-f", "lavfi", "-i", "color=red@0.5:s=64x64:d=0.2,format=yuva444p10le"),
        *("-c:v", "prores_ks", "-profile:v", "4444", source),
    )
    made = await transcode(source, tmp_path / f"out{suffix}", video=video)
    assert made.facts.video[0].pixel_format.startswith("yuva") != lost
    assert any("transparency is left out" in words for words in made.plan.warnings) == lost
