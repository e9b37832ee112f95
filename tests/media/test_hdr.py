"""HDR that is kept, in chunks: pixels, tags, and what the master says of its light."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import av
import pytest

from tests.conftest import CORPUS
from tests.media.engine import Made, run, transcode
from tests.media.pixels import shot
from tests.media.rungs import make_renditions
from tests.media.test_colour import MASTER, SIZE, hdr, tags
from tests.media.test_filters import QUIET

FINE: dict[str, dict[str, Any]] = {
    "hevc": {"codec": "hevc", "crf": 8, "speed": "ultrafast"},
    "av1": {"codec": "av1", "crf": 8, "speed": "12"},
}
RAW = {"h264": ".h264", "hevc": ".hevc", "av1": ".obu"}
LIGHT = {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}
TEN_BITS = {"pixel_format": "yuv420p10"}


def light(path: Path) -> list[float]:
    """What the first frame says of its light: chromaticities (x and y of red, green, blue and
    white), least and greatest luminance of the mastering display (SMPTE ST 2086), and MaxCLL and
    MaxFALL (CTA-861.3), in cd/m2."""
    given = beside(path)
    pairs = struct.iter_unpack("=ii", given["MASTERING_DISPLAY_METADATA"][:80])
    levels = struct.unpack_from("=II", given["CONTENT_LIGHT_LEVEL"])
    return [*(above / below for above, below in pairs), *levels]


def beside(path: Path) -> dict[str, bytes]:
    """What stands beside the pixels of the first frame."""
    with av.open(f"file:{path}") as container:
        frame: Any = next(container.decode(video=0))
        return {side.type.name: bytes(side) for side in frame.side_data}


async def kept(source: Path, folder: Path, codec: str) -> Made:
    return await transcode(
        source, folder / "out.mp4", video=FINE[codec] | TEN_BITS, chunk_s=1, **QUIET
    )


@pytest.mark.parametrize("codec", FINE)
async def test_hdr10_keeps_its_pixels_tags_and_light_in_chunks(codec: str, tmp_path: Path) -> None:
    source = hdr(tmp_path / "in.mov", "smpte2084", f"{MASTER}:keyint=30:min-keyint=30", seconds=2)
    made = await kept(source, tmp_path, codec)
    facts = made.facts.video[0]
    assert len(made.chunks) >= 2
    assert not made.fell_back
    assert made.plan.decisions["hdr"] == "kept"
    assert (facts.codec, facts.pixel_format, facts.frames) == (codec, "yuv420p10le", 60)
    assert tags(facts) == ("bt2020", "smpte2084", "bt2020nc", "limited")
    assert light(source)[-3:] == [1000, 1000, 400]
    # AV1 counts chromaticity in steps of 1/65536, and the least luminance in steps of 1/16384.
    assert light(made.path) == pytest.approx(light(source), abs=5e-5)
    data = made.path.read_bytes()
    assert b"mdcv" in data
    assert b"clli" in data
    for number in (2, 58):  # of the first chunk, and of the last
        before, after = (shot(path, number, SIZE, "yuv444p") for path in (source, made.path))
        for place in [*((x, 90) for x in range(2, 640, 80)), (100, 270), (320, 270), (540, 270)]:
            values = zip(before.at(*place), after.at(*place), strict=True)
            assert max(abs(a - b) for a, b in values) <= 3, place


async def test_of_a_package_all_that_is_hdr_tells_its_light_and_what_is_sdr_does_not(
    tmp_path: Path,
) -> None:
    """In the stream itself, for a packager drops what the container says; and a rendition has the
    same bytes whatever is encoded beside it."""
    source = hdr(tmp_path / "in.mov", "smpte2084", MASTER, seconds=1)
    speeds = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12"}
    made = dict[str, dict[str, bytes]]()
    for codecs in (("h264", "hevc", "av1"), ("hevc",), ("av1", "h264")):
        folder = tmp_path / "-".join(codecs)
        folder.mkdir()
        found = await make_renditions(
            source, folder, codecs=codecs, speed={codec: speeds[codec] for codec in codecs}
        )
        made[folder.name] = {name: path.read_bytes() for name, path in found.paths.items()}
        for name, path in found.paths.items():
            raw = path.with_suffix(RAW[name.partition("-")[0]])
            run("-i", path, "-c", "copy", raw)
            if raw.suffix == ".h264":
                assert (
                    not {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} & beside(raw).keys()
                )
            else:
                assert light(raw) == pytest.approx(light(source), abs=5e-5), name
    whole = made.pop("h264-hevc-av1")
    assert len(whole) == 6
    for some in made.values():
        assert some == {name: whole[name] for name in some}


async def test_sdr_tells_nothing_of_the_light_that_hdr_had(tmp_path: Path) -> None:
    source = hdr(tmp_path / "in.mov", "smpte2084", MASTER)
    made = await transcode(source, tmp_path / "out.mp4", preset="web-720p", **QUIET)
    assert beside(source).keys() >= LIGHT
    assert not LIGHT & beside(made.path).keys()
    assert b"mdcv" not in made.path.read_bytes()
    assert made.facts.video[0].light is None


@pytest.mark.parametrize("codec", FINE)
async def test_hlg_of_a_camera_stays_hlg(codec: str, tmp_path: Path) -> None:
    source = CORPUS / "hlg10.mp4"
    if not source.exists():
        pytest.skip("no media corpus beside the checkout")
    made = await kept(source, tmp_path, codec)
    before, after = made.source.video[0], made.facts.video[0]
    assert made.plan.decisions["hdr"] == "kept"
    assert (after.codec, after.pixel_format, after.frames) == (codec, "yuv420p10le", before.frames)
    assert tags(after)[:3] == ("bt2020", "arib-std-b67", "bt2020nc")
    assert psnr(source, made.path) >= 38


def psnr(one: Path, other: Path) -> float:
    """Of the luma, as it is: told the same colour, so that nothing is converted."""
    same = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    graph = f"[0:v]{same},setpts=N/25/TB[a];[1:v]{same},setpts=N/25/TB[b];[a][b]psnr=stats_file=-"
    told = run("-i", one, "-i", other, "-filter_complex", graph, "-f", "null", "-")
    errors = [float(line.split("mse_y:")[1].split()[0]) for line in told.splitlines()]
    return float(10 * math.log10(1023**2 / max(1e-9, sum(errors) / len(errors))))
