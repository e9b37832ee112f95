"""Black borders are found, and nothing that is picture is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.engine import run, transcode
from tests.media.pixels import shot
from tests.media.test_filters import EXACT, QUIET

BARS = "testsrc2=s=320x132:r=25,pad=320:180:0:24:color=black"


def film(target: Path, *graph: str, codec: tuple[str, ...] = ()) -> Path:
    run(
        *("-f", "lavfi", "-i", ",".join(graph), "-t", "4", "-c:v", "libx264", "-preset"),
        *("ultrafast", "-crf", "20", "-g", "25", "-pix_fmt", "yuv420p", *codec, target),
    )
    return target


@pytest.mark.parametrize(
    ("graph", "crop"),
    [
        ((BARS,), "320:132:0:24"),
        (("testsrc2=s=240x180:r=25", "pad=320:180:40:0"), "240:180:40:0"),
        ((BARS, "noise=alls=6:allf=t:all_seed=1"), "320:132:0:24"),
        # Dark for three of four seconds: only the light part says where the picture is.
        ((BARS, "fade=in:st=2:d=1"), "320:132:0:24"),
    ],
    ids=["letterbox", "pillarbox", "noise", "dark beginning"],
)
async def test_borders_are_cut_off(graph: tuple[str, ...], crop: str, tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", *graph)
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | {"crop": "auto"}, **QUIET)
    assert made.plan.decisions["crop"] == f"found: {crop}"
    width, height, left, top = map(int, crop.split(":"))
    assert (made.facts.video[0].width, made.facts.video[0].height) == (width, height)
    before = shot(source, 90, (320, 180), "yuv444p")
    after = shot(made.path, 90, (width, height), "yuv444p")
    places = [(3, 5), (width // 2, height // 2), (width - 2, height - 2)]
    assert [after.at(x, y) for x, y in places] == [before.at(x + left, y + top) for x, y in places]


@pytest.mark.parametrize(
    "graph",
    [
        ("testsrc2=s=320x180:r=25",),
        ("color=black:s=320x180:r=25",),
        ("color=0x050505:s=320x180:r=25", "drawbox=x=150:y=80:w=20:h=20:c=white:t=fill"),
        ("testsrc2=s=320x176:r=25", "pad=320:180:0:2"),
        ("testsrc2=s=260x180:r=25", "pad=320:180:60:0"),
        (BARS, "drawbox=y=4:h=8:w=60:x=9:c=white:t=fill:enable='gt(t,2)'"),
    ],
    ids=[
        "no borders",
        "all black",
        "a light in the night",
        "thin lines",
        "dark on one side",
        "words in a border",
    ],
)
async def test_what_is_no_border_stays(graph: tuple[str, ...], tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", *graph)
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | {"crop": "auto"}, **QUIET)
    assert made.plan.decisions["crop"].startswith("none")
    assert (made.facts.video[0].width, made.facts.video[0].height) == (320, 180)


async def test_a_film_with_one_keyframe_is_gone_through(tmp_path: Path) -> None:
    """A beginning with borders, and then the whole picture."""
    late = (BARS, "drawbox=w=320:h=180:c=blue:t=fill:enable='gt(t,3)'")
    one = ("-g", "999", "-sc_threshold", "0")
    for name, graph, found in (("a", late, "none"), ("b", (BARS,), "found: 320:132:0:24")):
        source = film(tmp_path / f"{name}.mp4", *graph, codec=one)
        made = await transcode(
            source, tmp_path / "out.mp4", video=EXACT | {"crop": "auto"}, **QUIET
        )
        assert made.plan.decisions["crop"].startswith(found)


async def test_borders_of_a_turned_picture_are_found_upright(tmp_path: Path) -> None:
    flat = film(tmp_path / "flat.mp4", BARS)
    source = tmp_path / "in.mp4"
    run("-display_rotation", "90", "-i", flat, "-c", "copy", source)
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | {"crop": "auto"}, **QUIET)
    assert made.source.video[0].rotation in (90, 270)
    assert (made.facts.video[0].width, made.facts.video[0].height) == (132, 320)
