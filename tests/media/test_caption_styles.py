"""Styles, positions and tags of captions come into a package; what could do harm does not."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.errors import InputTooLarge, InputUnsupported
from media.captions.cue import Cues, without_braces
from media.captions.cue_colour import MOST
from media.captions.cue_text import PLAIN, from_ass, from_tags, words
from media.captions.files import read_file
from media.captions.matroska import text_headers
from media.captions.sources import read_stream
from media.captions.webvtt import clock, document
from tests.media.engine import run

STYLED = """WEBVTT

REGION
id:left
width:40%
lines:3
regionanchor:0%,100%
viewportanchor:10%,90%
scroll:up

STYLE
/* who speaks */
::cue(v[voice="Anna Smith"]) { color: lime; font-size: 110% }
::cue(.loud), ::cue-region { background-color: rgba(0, 0, 0, 0.5) }

NOTE not shown

first
00:01.000 --> 00:02.000 line:0 position:10%,line-left size:40% align:left vertical:rl
<v.main Anna Smith>Fish &amp; <i>chips</i>,\u00a0<b>{twice}</b></v> <lang fr>s'il</lang>

00:03.000 --> 00:04.000 region:left align:middle
<c.loud.red>Hey</c> <u>you</u>
\u266a <ruby>\u6f22<rt>kan</rt></ruby>
"""


def written(content: str, name: str, folder: Path) -> str:
    """A file of captions as it comes into a package."""
    (folder / name).write_text(content, "utf-8")
    return as_packaged(read_file(folder / name))


def as_packaged(cues: Cues) -> str:
    return document(cues.cues, 100, cues.styles)


def test_what_webvtt_says_comes_into_a_package(tmp_path: Path) -> None:
    assert written(STYLED, "a.vtt", tmp_path).split("\n\n") == [
        "WEBVTT",
        "REGION\nid:left\nwidth:40%\nlines:3\nregionanchor:0%,100%\nviewportanchor:10%,90%\n"
        "scroll:up",
        'STYLE\n::cue(v[voice="Anna Smith"]) { color: lime; font-size: 110% }\n'
        "::cue(.loud), ::cue-region { background-color: rgba(0, 0, 0, 0.5) }",
        "first\n00:00:01.000 --> 00:00:02.000 line:0 position:10%,line-left size:40% align:left "
        "vertical:rl\n<v.main Anna Smith>Fish &amp; <i>chips</i>,\u00a0<b>{twice}</b></v> "
        "<lang fr>s'il</lang>",
        "00:00:03.000 --> 00:00:04.000 align:center region:left\n"
        "<c.loud.red>Hey</c> <u>you</u>\n\u266a <ruby>\u6f22<rt>kan</rt></ruby>\n",
    ]


def test_what_could_do_harm_does_not_come_into_a_package(tmp_path: Path) -> None:
    evil = (
        "WEBVTT\n\nSTYLE\n@import url(https://evil.example/a.css);\n"
        "::cue { background: url(https://evil.example/a.png); color: red }\n"
        "::cue { color: \\75rl(x) }\nbody { display: none }\n"
        '::cue(b) { font-family: "a; color: blue }\n'
        "::cue(i) { background: image-set('a.png' 1x); position: fixed }\n\n"
        "STYLE\n@media all { ::cue { color: red } }\n\n"
        "REGION\nid:a-->b\nwidth:40%\n\n"
        "00:01.000 --> 00:02.000 line:999999 position:120% size:5;x align:up region:none\n"
        "<script>alert(1)</script><img src=x onerror=alert(1)><v  <b onload=x>A>one</v>\n"
        "<i onclick=x>two</i>&lt;script&gt; a --> b <c.a;b>three</c><b>\n"
    )
    packaged = written(evil, "a.vtt", tmp_path)
    assert packaged == (
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n::cue(b) { color: blue }\n\n"
        "00:00:01.000 --> 00:00:02.000\n"
        "alert(1)<v &lt;b onload=x>A&gt;one</v>\n<i>two</i>&lt;script&gt; a --&gt; b <c>three</c>\n"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<i>in</i> <B>caps</B>", "\n<i>in</i> <b>caps</b>"),
        ('<font face="x">plain</font> &lt;3', "\nplain &lt;3"),
        ("{\\an8}above", " line:0\nabove"),
        ("{\\a6}above as of old", " line:0\nabove as of old"),
        ("{\\an5}{\\i1}middle{\\i0}, {\\b1}fat", " line:50%\n<i>middle</i>, <b>fat</b>"),
        ("{\\an1}left", " align:left\nleft"),
        ("<i>one <b>two</i> three</b>", "\n<i>one <b>two</b></i><b> three</b>"),
        ("<i>over\ntwo lines</i>", "\n<i>over\ntwo lines</i>"),
        ("{laughs} a < b, I <3 you", "\n{laughs} a &lt; b, I &lt;3 you"),
    ],
)  # fmt: skip
def test_what_subrip_says_comes_into_a_package(said: str, shown: str, tmp_path: Path) -> None:
    content = f"1\n00:00:01,000 --> 00:00:02,000 X1:40 X2:600\n{said}\n"
    packaged = written(content, "a.srt", tmp_path)
    assert packaged == f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000{shown}\n"


@pytest.mark.parametrize(
    ("said", "style", "shown"),
    [
        ('<font color="red">a</font> b', "red { red", "<c.red>a</c> b"),
        ("<FONT COLOR=#FFCC00>a</FONT>", "color-ffcc00 { #ffcc00", "<c.color-ffcc00>a</c>"),
        ('<font color="#FC0">a</font>', "color-ffcc00 { #ffcc00", "<c.color-ffcc00>a</c>"),
        ("<font color=#f00>a</font>", "red { red", "<c.red>a</c>"),
        (
            '<font color="#0000ff" size=2>a <font face="x">b</font> c</font> d',
            "blue { blue",
            "<c.blue>a b c</c> d",
        ),
        (
            "<i><font color='cyan'>a</i> b</font> c",
            "cyan { cyan",
            "<i><c.cyan>a</c></i><c.cyan> b</c> c",
        ),
        ("{\\c&H00CCFF&}a{\\c} b", "color-ffcc00 { #ffcc00", "<c.color-ffcc00>a</c> b"),
        ('<font color="white">a</font> <font color="#000000">b</font>', "", "a b"),
        ('<font color="expression(1)">a</font>', "", "a"),
    ],
)
def test_colours_of_subrip_come_into_a_package(
    said: str, style: str, shown: str, tmp_path: Path
) -> None:
    content = f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n"
    block = f"STYLE\n::cue(.{style.replace('{ ', '{ color: ')} }}\n\n" if style else ""
    block = block.replace(" {", ") {", 1)
    packaged = written(content, "a.srt", tmp_path)
    assert packaged == f"WEBVTT\n\n{block}00:00:01.000 --> 00:00:02.000\n{shown}\n"


def test_of_very_many_colours_the_most_frequent_come_into_a_package(tmp_path: Path) -> None:
    colours = [f"{number:06x}" for number in range(1, 200)]
    lines = [f'<font color="#{colour}">a</font>' for colour in [*colours, colours[-1]]]
    cues = (f"{n}\n00:00:01,000 --> 00:00:02,000\n{line}\n" for n, line in enumerate(lines))
    packaged = written("\n".join(cues), "a.srt", tmp_path)
    assert packaged.count("::cue(") == MOST
    assert f"::cue(.color-{colours[-1]})" in packaged


ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Bold, Italic, Underline, Alignment
Style: Default,Arial,0,0,0,2
Style: Thought,Arial,0,-1,0,2
Style: Sign,Arial,-1,0,-1,8

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{comment}{\\blur2\\i1\\fs40}one{\\i0}, two\\Nthree
Dialogue: 0,0:00:03.00,0:00:04.00,Thought,,0,0,0,,What {\\i0}if{\\rSign} here{\\r}?
Dialogue: 0,0:00:05.00,0:00:06.00,Sign,,0,0,0,,{\\pos(3,4)\\b0}STOP <now>
Dialogue: 0,0:00:07.00,0:00:08.00,Sign,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}
Dialogue: 0,0:00:09.00,0:00:10.00,Sign,,0,0,0,,{\\an2\\b400}low\\hdown
"""
AS_WEBVTT = (
    "00:00:01.000 --> 00:00:02.000\n<i>one</i>, two\nthree",
    "00:00:03.000 --> 00:00:04.000\n<i>What </i>if<b><u> here</u></b><i>?</i>",
    "00:00:05.000 --> 00:00:06.000 line:0\n<u>STOP &lt;now&gt;</u>",
    "00:00:09.000 --> 00:00:10.000\n<u>low\u00a0down</u>",
)


def test_what_ass_says_comes_into_a_package(tmp_path: Path) -> None:
    assert written(ASS, "a.ass", tmp_path) == "\n\n".join(("WEBVTT", *AS_WEBVTT)) + "\n"


@pytest.mark.parametrize("codec", ["file", "ass", "mov_text"])
def test_colours_of_ass_come_into_a_package(codec: str, tmp_path: Path) -> None:
    content = ASS.replace("Alignment\n", "Alignment, PrimaryColour\n").replace(
        "0,-1,0,2\n", "0,-1,0,2,&H0000FFFF\n"
    )
    content = content.replace("{\\i0}, two", "{\\i0\\1c&H0000FF&}, two")
    path = tmp_path / "a.ass"
    path.write_text(content)
    if codec == "file":
        packaged = as_packaged(read_file(path))
    else:
        film = tmp_path / ("a.mkv" if codec == "ass" else "a.mp4")
        picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=12")
        run(*picture, "-i", path, "-map", "0", "-map", "1", "-c:s", codec, film)
        packaged = as_packaged(read_stream(str(film), 1, Fraction(0)))
    assert "\n::cue(.red) { color: red }\n" in packaged
    assert "<i>one</i><c.red>, two\nthree</c>" in packaged
    if codec != "mov_text":  # into which FFmpeg writes no colours of styles
        assert "\n::cue(.yellow) { color: yellow }\n" in packaged
        assert "<i><c.yellow>What </c></i>" in packaged


def test_alignment_of_ssa_is_counted_otherwise(tmp_path: Path) -> None:
    old = ASS.replace("[V4+ Styles]", "[V4 Styles]").replace("-1,8", "-1,11")
    assert "line:50% align:right\n<u>STOP" in written(old, "a.ssa", tmp_path)


@pytest.mark.parametrize("codec", ["ass", "srt", "webvtt", "mov_text"])
def test_what_a_text_stream_says_comes_into_a_package(codec: str, tmp_path: Path) -> None:
    name = {"ass": "a.ass", "webvtt": "a.vtt"}.get(codec, "a.srt")
    srt = "1\n00:00:01,000 --> 00:00:02,000\n{0}<i>one</i> <b>two</b>\n"
    content = {
        "ass": ASS,
        "srt": srt.format("{\\an8}"),
        "webvtt": STYLED,
        "mov_text": srt.format(""),
    }[codec]
    (tmp_path / name).write_text(content, "utf-8")
    source = tmp_path / ("in.mp4" if codec == "mov_text" else "in.mkv")
    picture = ("-f", "lavfi", "-i", "color=black:s=64x64:r=5:d=12")
    encoder = "mov_text" if codec == "mov_text" else "copy"
    run(*picture, "-i", tmp_path / name, "-map", "0", "-map", "1", "-c:s", encoder, source)
    packaged = as_packaged(read_stream(str(source), 1, Fraction(0))).split("\n\n")
    wanted = {
        "ass": ["WEBVTT", *AS_WEBVTT],
        "srt": ["WEBVTT", "00:00:01.000 --> 00:00:02.000 line:0\n<i>one</i> <b>two</b>"],
        "webvtt": [  # without styles, which FFmpeg does not write
            "WEBVTT",
            *written(STYLED, "b.vtt", tmp_path)
            .rstrip()
            .replace(" region:left", "")
            .split("\n\n")[3:],
        ],
        "mov_text": ["WEBVTT", "00:00:01.000 --> 00:00:02.000\n<i>one</i> <b>two</b>"],
    }[codec]
    assert [each.rstrip("\n") for each in packaged] == wanted


def test_a_track_that_ffmpeg_makes_of_captions_has_tags_and_braces(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n<i>one</i> {two}\n")
    cues = without_braces(read_file(tmp_path / "a.srt").cues)
    (tmp_path / "a.vtt").write_text(document(cues, 100))
    run("-i", tmp_path / "a.vtt", "-c:s", "mov_text", tmp_path / "a.mp4")
    (cue,) = read_stream(str(tmp_path / "a.mp4"), 0, Fraction(0)).cues
    assert cue.tagged == "<i>one</i> (two)"


def element(name: str, *parts: bytes | int) -> bytes:
    """Of EBML."""
    content = b"".join(part if isinstance(part, bytes) else bytes([part]) for part in parts)
    return bytes.fromhex(name) + (0x10000000 | len(content)).to_bytes(4, "big") + content


def test_webvtt_that_others_put_into_matroska_keeps_its_settings(tmp_path: Path) -> None:
    """As mkvmerge does: S_TEXT/WEBVTT, settings and names in additions to the blocks."""
    kind = element("86", b"S_TEXT/WEBVTT")
    header = element("63A2", STYLED.partition("NOTE")[0].encode())
    track = element("AE", element("D7", 1), element("73C5", 1), element("83", 17), kind, header)
    block = element("A1", b"\x81", b"\x03\xe8", b"\0", b"<v Ann>Hi")
    told = b"line:0 region:left region:gone evil:1\nfirst\nNOTE x"
    beside = element("A6", element("EE", 1), element("A5", told))
    group = element("A0", block, element("9B", b"\x03\xe8"), element("75A1", beside))
    source = tmp_path / "a.mkv"
    source.write_bytes(
        element("1A45DFA3", element("4282", b"matroska"))
        + element(
            "18538067",
            element("1549A966", element("2AD7B1", b"\x0f\x42\x40")),
            element("1654AE6B", track),
            element("1F43B675", element("E7", 0), group),
        )
    )
    packaged = as_packaged(read_stream(str(source), 0, Fraction(0)))
    assert packaged.split("\n\n")[:3] == written(STYLED, "a.vtt", tmp_path).split("\n\n")[:3]
    assert packaged.endswith(
        "\n\nfirst\n00:00:01.000 --> 00:00:02.000 line:0 region:left\n<v Ann>Hi</v>\n"
    )


def test_headers_that_are_cut_off_or_lie_cost_only_themselves(tmp_path: Path) -> None:
    """A tracks element that ends in the middle, one that says to be endless, one with nothing."""
    source = tmp_path / "a.mkv"
    whole = element("1654AE6B", element("AE", element("83", 17), element("63A2", b"WEBVTT")))
    for tracks, found in (
        (whole, (b"WEBVTT",)),
        (whole[:-3], ()),
        (b"\x16\x54\xae\x6b\x01" + b"\xff" * 7, ()),
        (element("1654AE6B", b"\0" * 9), ()),
        (element("1654AE6B", element("AE", element("83", 17), b"\x63\xa2\xff")), (b"",)),
        (b"\xff" * 100, ()),
        (b"", ()),
    ):
        source.write_bytes(
            element("1A45DFA3", b"x") + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + tracks
        )
        assert text_headers(source) == found


@pytest.mark.parametrize("codec", ["file", "ass"])
def test_what_of_ass_is_left_out_is_named(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ass"
    for content, lost in (
        (ASS, ("places (\\pos)", "outlines and shadows", "drawings")),
        (ASS.replace("Sign,Arial", "Sign,Comic"), ("fonts and sizes", "places (\\pos)")),
        (
            ASS.replace("{\\i0}, two", "{\\k20\\move(1,2,3,4)}, two"),
            ("movement and fades", "karaoke"),
        ),
    ):
        path.write_text(content)
        cues = read_file(path)
        if codec == "ass":
            picture = ("-f", "lavfi", "-i", "color=black:s=64x64:r=5:d=12")
            run(*picture, "-i", path, "-map", "0", "-map", "1", "-c:s", codec, tmp_path / "a.mkv")
            cues = read_stream(str(tmp_path / "a.mkv"), 1, Fraction(0))
        assert set(lost) <= set(cues.lost)
        (warning,) = cues.warnings("a.ass")
        assert all(name in warning for name in lost)
    plain = re.sub(r"\\(?:blur2|fs40|pos\(3,4\)|p1)", "", ASS)
    path.write_text(plain)
    assert read_file(path).warnings("a.ass") == ()


@pytest.mark.parametrize(
    ("block", "lost"),
    [
        ("@media (width) { ::cue { color: red } }", "styles that name files or conditions"),
        ("::cue { color: red }\n" * 1000, "styles of more than 16 KiB"),
    ],
)
def test_styles_that_cannot_come_along_are_named(block: str, lost: str, tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(f"WEBVTT\n\nSTYLE\n{block}\n\n00:01.000 --> 00:02.000\nHi\n")
    assert read_file(path).lost == (lost,)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_captions_in_any_unicode_are_read(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    path = tmp_path / "a.srt"
    path.write_bytes(f"{mark}1\r\n00:00:01,000 --> 00:00:02,000\r\nGrüße\r\n".encode(encoding))
    assert [cue.text for cue in read_file(path).cues] == ["Grüße"]


def test_other_encodings_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    for content in ("Grüße".encode("cp1252"), b"\xff\xfe1\x00\x00"):
        path.write_bytes(content)
        with pytest.raises(InputUnsupported, match=r"a\.srt.*`iconv -f"):
            read_file(path)


def test_more_at_once_than_anybody_reads_is_refused(tmp_path: Path) -> None:
    """Of a film of hours a caption may be there all the time, beside others; not thousands."""

    def times(start: int, end: int) -> str:
        return f"{clock(start)} --> {clock(end)}"

    usual = [f"{times(3000 * n, 3000 * n + 2900)}\nA line of words\n" for n in range(3000)]
    logo = f"{times(0, 9_000_000)} line:0\nThe name of the channel\n"
    content = "\n".join(("WEBVTT\n", logo, *usual))
    (tmp_path / "a.vtt").write_text(content)
    assert len(read_file(tmp_path / "a.vtt").cues) == 3001
    at_once = [f"{times(n % 4000, 5000 + n % 4000)}\nword {n}\n" for n in range(9000)]
    with pytest.raises(InputTooLarge, match=r"b\.vtt has so many captions at once"):
        written("\n".join(("WEBVTT\n", *at_once)), "b.vtt", tmp_path)


PIECES = st.sampled_from(
    ["a", " ", "\n", "\n\n", "<", ">", "&", "&lt;", "&amp;", "-->", "{", "}", "{\\i1}", "{\\r}",
     "<i>", "{\\b0}", "</i>", "<b>", "</b>", "<v A>", "</v>", "<c.x>", "</c>", "<ruby>",
     "<rt>", "</ruby>", "<00:01.000>", "\\N", "\x00", "\u2028", "NOTE", "STYLE", "\u05e9"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40), st.booleans())
def test_whatever_a_cue_says_is_one_well_formed_cue(pieces: list[str], is_ass: bool) -> None:
    text = "".join(pieces)
    tagged, _ = from_ass(text, PLAIN, {}) if is_ass else from_tags(text)
    assert "-->" not in tagged
    assert "\n\n" not in tagged
    assert tagged == tagged.strip()
    opened: list[str] = []
    for end, name in re.findall(r"<(/?)(\w+)[^<>]*>", tagged):
        if end:
            assert opened.pop() == name
        else:
            opened.append(name)
    assert not opened
    assert "<" not in re.sub(r"</?\w+[^<>]*>", "", tagged)
    assert not re.search(r"[{}\\]", words(tagged))


def test_tags_without_end_cost_nothing() -> None:
    tagged, _ = from_tags("<i>" * 100_000 + "a" + "</i>b<i>" * 10_000)
    assert len(tagged) < 2_000_000
