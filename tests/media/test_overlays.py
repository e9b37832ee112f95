"""Watermarks lie where they should, captions show when they should, and obey nobody."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from longtake.contracts import EncodeSettings, Transcode
from longtake.errors import (
    InputCorrupt,
    InputNotFound,
    InputUnsupported,
    InvalidJob,
    LongtakeError,
)
from longtake.kinds import parse
from longtake.presets import resolve
from media.captions.burnt_in import ass_document, unknown_letters
from media.captions.cue import Cue
from media.captions.cue_text import words
from media.captions.files import read_file
from media.picture.geometry import geometry
from media.picture.watermark import check_png, png_size
from tests.media.engine import run, transcode
from tests.media.pixels import Shot, shot
from tests.media.test_filters import EXACT, QUIET, SRT, logo, picture
from tests.media.test_picture import WEB, video

SIZE = (320, 180)
GREY = "color=gray:s=320x180"


def near(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) <= 6 for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("position", "left", "top"),
    [
        ("top-left", 18, 18),
        ("top", 120, 18),
        ("top-right", 222, 18),
        ("center", 120, 70),
        ("bottom-right", 222, 122),
    ],
)
async def test_a_watermark_lies_at_its_place(
    position: str, left: int, top: int, tmp_path: Path
) -> None:
    """40 x 20 at a quarter of the width: 80 x 40, a tenth of 180 from the edges."""
    source = picture(tmp_path / "in.mp4", GREY, seconds=1)
    mark = {"image": str(logo(tmp_path / "logo.png")), "width": 0.25, "margin": 0.1}
    made = await transcode(
        source, tmp_path / "out.mp4", video=EXACT | {"watermark": mark | {"position": position}},
        **QUIET,
    )  # fmt: skip
    seen, bare = shot(made.path, 3, SIZE), shot(source, 3, SIZE)
    grey = bare.at(160, 90)
    assert near(seen.at(left + 20, top + 20), (255, 0, 0))
    half = (grey[0] // 2, (grey[1] + 255) // 2, grey[2] // 2)  # alpha 128 on grey
    assert near(seen.at(left + 60, top + 20), half)
    for x, y in ((left - 5, top + 20), (left + 84, top + 20), (left + 20, top - 5)):
        assert near(seen.at(x, y), grey)


async def test_opacity_fades_the_whole_mark_on_every_frame(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", GREY, seconds=3)
    mark = {"image": str(logo(tmp_path / "logo.png")), "width": 0.25, "margin": 0.1}
    mark |= {"opacity": 0.5, "position": "top-left"}
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, video=EXACT | {"watermark": mark}, **QUIET
    )
    assert len(made.chunks) >= 2
    for number in (0, 30, 74):
        seen = shot(made.path, number, SIZE)
        grey = seen.at(160, 150)
        assert near(seen.at(38, 38), ((grey[0] + 255) // 2, grey[1] // 2, grey[2] // 2))
        red, green, blue = (c * 3 // 4 for c in grey)  # alpha 128, half of it
        assert near(seen.at(78, 38), (red, green + 64, blue))


def words_in(seen: Shot) -> int:
    """White pixels in the lower third."""
    return sum(seen.luma(x, y) > 200 for x in range(0, 320, 2) for y in range(120, 180, 2))


@pytest.mark.parametrize(("start", "shift"), [(None, 0), ("0.48", 0.48)])
async def test_captions_show_only_in_their_times(
    start: str | None, shift: float, tmp_path: Path
) -> None:
    """From 1 to 2 s and from 3.52 to 4.2 s: frames of 25 a second."""
    source = picture(tmp_path / "in.mp4", "color=black:s=320x180", "-output_ts_offset", "3")
    (tmp_path / "a.srt").write_text(SRT, "utf-8")
    asked = {"captions": {"file": str(tmp_path / "a.srt"), "size": 0.12}}
    made = await transcode(
        source, tmp_path / "out.mp4", chunk_s=1, start=start, video=EXACT | asked, **QUIET
    )
    assert len(made.chunks) >= 3
    assert made.errors == 0
    shown = [
        (seconds, words_in(shot(made.path, round((seconds - shift) * 25), SIZE, "yuv444p")) > 0)
        for seconds in (0.96, 1.0, 1.96, 2.0, 3.48, 3.52, 4.16, 4.2)
    ]
    assert [seconds for seconds, seen in shown if seen] == [1.0, 1.96, 3.52, 4.16]


@pytest.mark.parametrize("codec", ["srt", "ass", "webvtt", "mov_text"])
async def test_a_text_stream_of_the_source_is_burnt_in(codec: str, tmp_path: Path) -> None:
    bare = picture(tmp_path / "bare.mp4", "color=black:s=320x180")
    (tmp_path / "a.srt").write_text(SRT, "utf-8")
    source = tmp_path / ("in.mp4" if codec == "mov_text" else "in.mkv")
    run("-i", bare, "-i", tmp_path / "a.srt", "-c", "copy", "-c:s", codec, source)
    asked = {"captions": {"stream": 1, "size": 0.12}}
    made = await transcode(source, tmp_path / "out.mp4", video=EXACT | asked, **QUIET)
    numbers = (20, 30, 60, 95, 110)
    shown = [words_in(shot(made.path, n, SIZE, "yuv444p")) > 0 for n in numbers]
    assert shown == [False, True, False, True, False]


async def test_captions_of_the_corpus_are_burnt_in(corpus: Path, tmp_path: Path) -> None:
    for name in ("vtt-subtitles.mkv", "ssa-subtitles.mkv"):
        asked = {"crf": 30, "speed": "ultrafast", "height": 180, "captions": {"stream": 2}}
        made = await transcode(corpus / name, tmp_path / "out.mp4", video=asked, **QUIET)
        assert made.plan.video is not None
        assert "Dialogue" in (made.plan.video.files.captions or "")


def test_webvtt_and_ass_give_words_and_times_alone(tmp_path: Path) -> None:
    vtt, ass = tmp_path / "a.vtt", tmp_path / "a.ass"
    vtt.write_text(
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nNOTE not shown\n\nid\n"
        "00:01.500 --> 00:02.000 line:0 align:start\n<v Ann>Fish &amp; <b>chips</b>\n", "utf-8",
    )  # fmt: skip
    ass.write_text(
        "[Script Info]\nScriptType: v4.00+\n[Fonts]\nfontname: evil.ttf\nABCD\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,{\\fnEvil\\an8}Fish, and\\Nchips\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}\n", "utf-8",
    )  # fmt: skip
    found = [
        (cue.start_ms, cue.end_ms, cue.text) for path in (vtt, ass) for cue in read_file(path).cues
    ]
    assert found == [(1500, 2000, "Fish & chips"), (1500, 2000, "Fish, and\nchips")]


def test_nothing_in_a_caption_is_a_command() -> None:
    evil = "a{\\pos(0,0)}b\\Nc{unclosed\nDialogue: 0,x\x00\x1b[31m &lbrace;\\p1&rbrace;"
    document = ass_document(
        [Cue(start_ms=0, end_ms=10, text=words(evil))], SIZE, 0.05, 0, Fraction(1)
    )
    event = document.strip().split("\n")[-1]
    assert document.count("Dialogue:") == 2  # one line, and the words in it
    assert event.startswith("Dialogue: 0,0:00:00.00")
    assert "{" not in event
    assert event.count("\\") == event.count("\\N")


def test_letters_that_the_font_lacks_are_named() -> None:
    cues = [Cue(start_ms=0, end_ms=1, text="Grüße, Привет, שלום, 章節")]
    assert unknown_letters(cues) == "章節"


def test_webvtt_in_which_nobody_speaks_holds_no_cues(tmp_path: Path) -> None:
    path = tmp_path / "silent.vtt"
    path.write_text("\ufeffWEBVTT\n\n")
    assert read_file(path).cues == ()


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"nothing of a film\n", InputUnsupported), (b"\xff\xfe1\x00", InputUnsupported)],
)
def test_captions_that_are_none_are_refused(
    content: bytes, error: type[LongtakeError], tmp_path: Path
) -> None:
    (tmp_path / "a.srt").write_bytes(content)
    with pytest.raises(error, match=r"a\.srt"):
        read_file(tmp_path / "a.srt")


def test_a_watermark_that_is_no_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(InputUnsupported, match="no PNG"):
        png_size(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputCorrupt, match="damaged"):
        png_size(tmp_path / "b.png")
    with pytest.raises(InputNotFound):
        png_size(tmp_path / "c.png")


async def test_a_watermark_whose_pixels_are_damaged_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.png", tmp_path / "cut.png"
    run("-f", "lavfi", "-i", "testsrc2=s=200x200", "-frames:v", "1", whole)
    await check_png(whole)
    cut.write_bytes(whole.read_bytes()[:-2000])
    assert png_size(cut) == (200, 200)
    with pytest.raises(InputCorrupt, match=r"watermark .*cut\.png cannot be read"):
        await check_png(cut)


async def test_a_broken_watermark_fails_with_words(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", GREY, seconds=1)
    whole = logo(tmp_path / "logo.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:60])
    asked = {"watermark": {"image": str(tmp_path / "cut.png")}}
    with pytest.raises(InputCorrupt):
        await transcode(source, tmp_path / "out.mp4", video=EXACT | asked, **QUIET)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"crop": "100:100"}, "WIDTH:HEIGHT:LEFT:TOP"),
        ({"crop": "101:100:0:0"}, "even"),
        ({"fit": "1280"}, "1280x720"),
        ({"pad": "1281x720"}, "even number"),
        ({"height": 720, "fit": "640x480"}, "drop one"),
        ({"fit": "1920x1080", "pad": "640x480"}, "does not lie within"),
        ({"frame_rate": "0"}, "between 1 and 240"),
        ({"frame_rate": "1000"}, "between 1 and 240"),
        ({"frame_rate": "1/0"}, "frames per second"),
        ({"frame_rate": True}, "frames per second"),
        ({"denoise": "much"}, "light"),
        ({"deinterlace": "always"}, "auto"),
        ({"hdr": "hdr10"}, "keep"),
        ({"watermark": {"image": "a.png", "opacity": 2}}, "less than or equal to 1"),
        ({"watermark": {"image": "a.png", "position": "middle"}}, "center"),
        ({"captions": {}}, "either file or stream"),
        ({"captions": {"file": "a.srt", "stream": 1}}, "either file or stream"),
        ({"codec": "copy", "crop": "auto"}, "contradict"),
    ],
)
def test_bad_options_are_refused_with_words(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob, match=words):
        _resolved(asked)


def _resolved(asked: dict[str, Any]) -> EncodeSettings:
    job = parse({"input": "a.mp4", "output": "b.mp4", "video": asked})
    assert isinstance(job, Transcode)
    return resolve(job)


def test_a_crop_beyond_the_picture_is_refused() -> None:
    asked = WEB.model_copy(update={"height": None, "crop": "1280:720:2:0"})
    with pytest.raises(InvalidJob, match="1280x720 pixels"):
        geometry(video(), asked)


def test_a_size_of_the_job_replaces_the_presets_of_another_kind() -> None:
    job = Transcode(input="a.mp4", output="b.mp4", preset="web-720p", video={"pad": "1080x1080"})  # type: ignore[arg-type]
    settings = resolve(job).video
    assert settings.height is None
    assert geometry(video(width=1920, height=1080), settings).scaled == (1080, 608)
    assert geometry(video(width=1920, height=1080), settings).canvas == (1080, 1080)


async def test_a_stream_that_is_no_text_is_refused(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.mp4", GREY, seconds=1)
    for number in (0, 5):
        with pytest.raises(InvalidJob, match=f"stream {number}"):
            await transcode(source, tmp_path / "out.mp4", video={"captions": {"stream": number}})


def test_what_joins_and_orders_letters_is_kept() -> None:
    """Half spaces of Persian, emoji of several parts, marks of direction; no other odd space."""
    assert words("می\u200cخواهم 👩\u200d🚀 \u2067שלום\u2069") == (
        "می\u200cخواهم 👩\u200d🚀 \u2067שלום\u2069"
    )
    assert words("Bonjour\u00a0!\u3000Oui\u202f?\x07") == "Bonjour ! Oui ?"
