"""Colour: pixels and tags agree, HDR becomes SDR that looks right, or stays HDR."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from longtake.contracts import VideoFacts
from media.ffmpeg.filter_files import FilterFiles, written
from media.ffmpeg.tools import ffmpeg, table_level
from media.picture.colour import ToneMap, source_colour, tone_table
from tests.media.engine import run, transcode
from tests.media.pixels import Shot, shot
from tests.media.test_filters import EXACT, QUIET, assert_same
from tests.media.test_filters import both as both_ways
from tests.media.test_picture import video
from tests.patience import WAIT_S

SIZE = (640, 360)
KEPT: dict[str, Any] = {
    "title": "HDR",
    "audience": "Tests.",
    "video": {"pixel_format": "source", "crf": 10, "speed": "ultrafast"},
}
MASTER = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    ":max-cll=1000,400:hdr10=1"
)


def hdr(target: Path, transfer: str, *x265: str, seconds: float = 0.2) -> Path:
    """Above a ramp of grey; below black, 75 % white (203 cd/m2 in HLG), red."""
    run(
        *("-f", "lavfi", "-i", f"color=black:s=640x360:r=30:d={seconds}", "-vf"),
        "format=yuv444p10le,geq=lum='if(lt(Y,H/2),64+876*X/W,if(lt(X,W/3),64,if(lt(X,2*W/3),721,"
        "300)))':cb='if(lt(Y,H/2)+lt(X,2*W/3),512,400)':cr='if(lt(Y,H/2)+lt(X,2*W/3),512,700)',"
        f"format=yuv420p10le,setparams=color_primaries=bt2020:color_trc={transfer}"
        ":colorspace=bt2020nc:range=tv",
        *("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"),
        "log-level=none:pools=1:crf=6:colorprim=bt2020:colormatrix=bt2020nc:range=limited"
        f":transfer={':'.join((transfer, *x265))}",
        target,
    )
    return target


def tags(facts: VideoFacts) -> tuple[str | None, ...]:
    return facts.color_primaries, facts.color_transfer, facts.color_space, facts.color_range


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
async def test_hdr_becomes_sdr_that_is_not_washed_out(transfer: str, tmp_path: Path) -> None:
    source = hdr(tmp_path / "in.mov", transfer)
    made = await transcode(source, tmp_path / "out.mp4", preset="web-720p", **QUIET)
    facts = made.facts.video[0]
    assert tags(facts) == ("bt709", "bt709", "bt709", "limited")
    assert facts.pixel_format == "yuv420p"
    assert made.plan.decisions["hdr"] == "tone-mapped to SDR"
    picture, rgb = shot(made.path, 2, SIZE, "yuv444p"), shot(made.path, 2, SIZE)
    ramp = [picture.luma(x, 90) for x in range(2, 640, 40)]
    assert all(a <= b for a, b in pairwise(ramp))
    assert ramp[0] <= 20
    assert 225 <= picture.luma(637, 90) <= 238
    assert all(abs(c - 128) <= 3 for x in range(2, 640, 40) for c in picture.at(x, 90)[1:])
    assert picture.luma(100, 270) <= 20
    assert 180 <= picture.luma(320, 270) <= 236
    red, green, _ = rgb.at(540, 270)
    assert red >= 5 * green
    assert red > 150


async def test_a_dolby_vision_record_does_not_outlive_its_metadata(tmp_path: Path) -> None:
    """A phone's HLG with the box of profile 8.4, and nothing behind it."""
    source = with_dolby_box(hdr(tmp_path / "hlg.mov", "arib-std-b67"), tmp_path / "in.mov")
    assert b"dvvC" in source.read_bytes()
    for name, preset in (("sdr.mp4", "web-720p"), ("kept.mp4", KEPT)):
        made = await transcode(source, tmp_path / name, preset=preset, **QUIET)
        assert b"dvvC" not in made.path.read_bytes()
        assert b"dvcC" not in made.path.read_bytes()
        assert made.facts.video[0].frames == 6


async def test_hdr10_that_is_kept_keeps_its_tags_bits_and_light_levels(tmp_path: Path) -> None:
    source = hdr(tmp_path / "in.mov", "smpte2084", MASTER)
    made = await transcode(source, tmp_path / "out.mp4", preset=KEPT, **QUIET)
    facts = made.facts.video[0]
    assert made.source.video[0].peak_nits == 1000
    assert facts.peak_nits == 1000
    assert facts.pixel_format == "yuv420p10le"
    assert tags(facts) == ("bt2020", "smpte2084", "bt2020nc", "limited")
    assert b"mdcv" in made.path.read_bytes()
    assert b"clli" in made.path.read_bytes()
    before, after = (shot(path, 2, SIZE, "yuv444p") for path in (source, made.path))
    assert all(abs(before.luma(x, 90) - after.luma(x, 90)) <= 2 for x in range(2, 640, 80))


async def test_a_smaller_picture_has_the_same_tones(tmp_path: Path) -> None:
    source = hdr(tmp_path / "in.mov", "arib-std-b67")
    small = await transcode(source, tmp_path / "s.mp4", video=EXACT | {"fit": "320x320",
        "pixel_format": "yuv420p"}, **QUIET)  # fmt: skip
    large = await transcode(source, tmp_path / "l.mp4", preset="web-720p", **QUIET)
    a, b = shot(small.path, 1, (320, 180), "yuv444p"), shot(large.path, 1, SIZE, "yuv444p")
    assert all(abs(a.luma(x, 45) - b.luma(2 * x, 90)) <= 4 for x in range(4, 320, 30))


async def test_tone_mapping_in_chunks_has_the_pixels_of_one_piece(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-vf"),
        "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084"
        ":colorspace=bt2020nc:range=tv",
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", "-g", "25", source),
    )
    both = await both_ways(source, tmp_path, {"hdr": "sdr", "pixel_format": "yuv420p"})
    assert both[0].facts.video[0].color_transfer == "bt709"
    assert_same(both[0].path, both[1].path)


def test_a_brighter_master_is_compressed_more_and_grey_stays_grey() -> None:
    white = []
    for peak in (400, 1000, 4000):
        rows = list(tone_table(ToneMap(transfer="smpte2084", peak_nits=peak)))[1:]
        greys = [rows[n * (33 * 33 + 33 + 1)].split() for n in range(33)]
        assert all(max(map(float, g)) - min(map(float, g)) < 0.002 for g in greys)
        assert greys[-1][0] == "1.000000"
        white.append(float(greys[22][0]))  # about 440 cd/m2
    assert white == sorted(white, reverse=True)
    assert white[0] > white[2]


async def test_whites_of_a_camera_stay_white_and_skin_stays_skin(
    corpus: Path, tmp_path: Path
) -> None:
    """Paper, three grey patches, and a table: lit a little warm, they must not become yellow."""
    video = {"codec": "h264", "crf": 8, "speed": "ultrafast"}
    made = await transcode(corpus / "hlg10.mp4", tmp_path / "out.mp4", video=video, **QUIET)
    picture = shot(made.path, 4, (1920, 1080))
    for place in [(300, 860), (546, 860), (792, 860), (1036, 860), (1760, 900), (60, 980)]:
        red, green, blue = mean(picture, *place)
        assert abs(red - green) <= 4, place
        assert abs(green - blue) <= 6, place
    red, green, blue = mean(picture, 546, 140)  # the chart's light skin
    assert red - blue >= 45
    assert red > green > blue
    vivid = {(1042, 620): (0, 2), (792, 620): (0, 1), (300, 620): (2, 0)}
    for place, (most, least) in vivid.items():
        seen = mean(picture, *place)  # yellow, red, blue
        assert seen[most] >= 2.5 * seen[least], place


def mean(picture: Shot, x: int, y: int) -> tuple[float, ...]:
    """Of 400 pixels around a place: a sensor's noise is no tint."""
    seen = [picture.at(x + dx, y + dy) for dx in range(-10, 10) for dy in range(-10, 10)]
    return tuple(sum(values) / len(seen) for values in zip(*seen, strict=True))


async def test_sd_colour_is_converted_where_players_assume_hd(tmp_path: Path) -> None:
    """The same picture in SD and enlarged to HD: other numbers, the same colours."""
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "smptebars=s=320x180:r=25:d=0.2", "-vf"),
        "scale=out_color_matrix=bt601:out_range=limited,format=yuv420p,"
        "setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown",
        *("-c:v", "libx264", "-qp", "0", source),
    )
    video = EXACT | {"fit": "1280x720", "upscale": True, "pixel_format": "yuv420p"}
    made = await transcode(source, tmp_path / "out.mp4", video=video, **QUIET)
    assert made.source.video[0].color_space is None
    assert made.facts.video[0].color_space == "bt709"
    before, after = shot(source, 1, (320, 180)), shot(made.path, 1, (1280, 720))
    raw = shot(source, 1, (320, 180), "yuv444p"), shot(made.path, 1, (1280, 720), "yuv444p")
    assert abs(raw[0].luma(150, 40) - raw[1].luma(600, 160)) > 10
    for x in range(20, 320, 46):
        pairs = zip(before.at(x, 40), after.at(4 * x, 160), strict=True)
        assert max(abs(a - b) for a, b in pairs) <= 4


async def test_hd_colour_that_becomes_small_says_that_it_is_hd_colour(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "smptehdbars=s=1280x720:r=25:d=0.1", "-vf"),
        "scale=out_color_matrix=bt709:out_range=limited,format=yuv420p",
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", source),
    )
    video = {"crf": 0, "height": 180, "pixel_format": "yuv420p"}
    made = await transcode(source, tmp_path / "out.mp4", video=video, **QUIET)
    assert tags(made.facts.video[0]) == ("bt709", "bt709", "bt709", "limited")


async def test_full_range_444_of_a_screen_recorder_becomes_what_browsers_show(
    tmp_path: Path,
) -> None:
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "color=black:s=640x360:r=30:d=0.5", "-vf"),
        "drawbox=x=320:w=320:h=360:y=0:c=white:t=fill,scale=out_range=pc:out_color_matrix=bt709,"
        "format=yuv444p,setparams=range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", "-color_range", "pc"),
        *("-qp", "10", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", preset="web-720p", **QUIET)
    facts = made.facts.video[0]
    assert facts.profile in ("Main", "High")
    assert facts.pixel_format == "yuv420p"
    assert tags(facts) == ("bt709", "bt709", "bt709", "limited")
    picture = shot(made.path, 5, SIZE, "yuv444p")
    assert abs(picture.luma(100, 100) - 16) <= 2
    assert abs(picture.luma(500, 100) - 235) <= 2


def test_what_is_not_said_is_what_players_assume() -> None:
    untagged = dict.fromkeys(("color_primaries", "color_transfer", "color_space", "color_range"))
    matrices = {
        size: source_colour(video(**untagged, width=size[0], height=size[1])).matrix
        for size in ((720, 480), (720, 576), (1280, 720), (720, 1280))
    }
    assert list(matrices.values()) == ["smpte170m", "bt470bg", "bt709", "bt709"]


async def test_a_matrix_alone_tells_primaries_and_transfer_of_a_small_picture(
    tmp_path: Path,
) -> None:
    """What FFmpeg writes for `-colorspace bt709` and nothing else."""
    source = tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:d=0.4", "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-x264-params", "colormatrix=bt709", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", video={"crf": 30, "smart_copy": False})
    assert tags(made.source.video[0])[:3] == (None, None, "bt709")
    assert tags(made.facts.video[0])[:3] == ("bt709", "bt709", "bt709")


EMULATOR = shutil.which("qemu-x86_64")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="CPU levels of x86-64")
def test_tone_mapping_does_not_depend_on_the_cpu(tmp_path: Path) -> None:
    """At 16 bits, where it would show: with FMA, lut3d's results are others."""
    source = tmp_path / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=320x180:r=25", "-frames:v", "2", "-vf"),
        *("noise=alls=20:all_seed=3,format=yuv420p10le", "-c:v", "ffv1", source),
    )
    files = FilterFiles(tone=ToneMap(transfer="arib-std-b67", peak_nits=1000))
    with written(files, tmp_path / "draft") as names:
        chain = f"scale=flags=accurate_rnd+bitexact,format=gbrp16le,lut3d=file={names['tone']}"

        def table(*start: str, flags: str) -> bytes:
            command = (
                *(*start, ffmpeg(), "-v", "error", "-cpuflags", flags, "-threads", "1", "-i"),
                *(str(source), "-vf", chain, "-f", "framemd5", "-"),
            )
            return subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S).stdout

        ours = table(flags=table_level() or "")
        assert all(table(flags=level) == ours for level in ("0", "sse4.2"))
        if EMULATOR:
            for cpu in ("Nehalem", "Haswell"):
                assert table(EMULATOR, "-cpu", cpu, flags=table_level() or "") == ours


def with_dolby_box(source: Path, target: Path) -> Path:
    """Dolby Vision record: profile 8, base layer compatible with HLG (4), in the sample entry."""
    data = bytearray(source.read_bytes())
    record = bytes([1, 0, 8 << 1, 4 << 3 | 1 << 2 | 1, 4 << 4]) + bytes(19)
    box = struct.pack(">I4s", 8 + len(record), b"dvvC") + record
    path: list[int] = []
    start, end = 0, len(data)
    boxes = ("moov", 8), ("trak", 8), ("mdia", 8), ("minf", 8), ("stbl", 8), ("stsd", 16)
    for name, header in (*boxes, ("hvc1", 86)):
        at = start
        while True:
            size, kind = struct.unpack_from(">I4s", data, at)
            if kind == name.encode():
                break
            at += size
        path.append(at)
        start, end = at + header, at + size
    data[end:end] = box
    for at in path:
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(box))
    target.write_bytes(data)
    return target
