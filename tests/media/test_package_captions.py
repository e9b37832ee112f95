"""Captions of a package: every word at its time, in HLS and in DASH, from begin to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import av
import pytest

from longtake.errors import InputCorrupt
from media.captions.webvtt import read_webvtt
from media.check.checking import check
from media.package.renditions import Text, Track
from tests.media.package import folder, package, picture, read_playlist, sound, tree

SPOKEN = """\ufeffWEBVTT - a film

STYLE
::cue { color: yellow }

NOTE nobody reads this

00:01.000 --> 00:02.500 line:10% align:start
<v Anna>Hello &amp; <i>welcome</i></v>

across
00:00:03.250 --> 00:00:08.750
Two segments' edges
lie in here

00:00:07.000 --> 00:00:07.500
At the same time

00:00:09.000 --> 00:00:09.000
Never shown

00:00:17.000 --> 00:00:17.900
The last words
"""
"""In 19 s of film: nobody speaks from 8.75 s to 17 s, nor at the end."""
WORDS = {
    (1000, 2500, "<v Anna>Hello &amp; <i>welcome</i></v>"),
    (3250, 8750, "Two segments' edges\nlie in here"),
    (7000, 7500, "At the same time"),
    (17000, 17900, "The last words"),
}


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    path = tmp_path / "spoken, 1.vtt"
    path.write_bytes(SPOKEN.replace("\n", "\r\n").encode())
    return path


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    made = tmp_path_factory.mktemp("tracks")
    return [
        Track(picture(made / "film.mp4", length_s=19), "film", "video"),
        Track(sound(made / "film.m4a", length_s=19), "audio-en", "audio", "en"),
    ]


@pytest.fixture
async def made(spoken: Path, tracks: list[Track], tmp_path: Path) -> Path:
    return await package(
        tmp_path / "out",
        tracks,
        [
            Text(spoken, "captions-en", "en", "English", default=True),
            Text(spoken, "captions-en-2", "en", "English"),
            Text(spoken, "captions-pt-BR", "pt-BR"),
        ],
    )


def read(segment: str) -> set[tuple[int, int, str]]:
    """The cues of a segment, read by the structure of WebVTT files alone."""
    clock = r"(\d\d):(\d\d):(\d\d)\.(\d{3})"
    found = set()
    for block in segment.split("\n\n"):
        if times := re.search(rf"^{clock} --> {clock}.*\n", block, re.MULTILINE):
            h, m, s, ms, *end = map(int, times.groups())
            start_ms = ((h * 60 + m) * 60 + s) * 1000 + ms
            end_ms = ((end[0] * 60 + end[1]) * 60 + end[2]) * 1000 + end[3]
            found.add((start_ms, end_ms, block[times.end() :].strip("\n")))
    return found


def test_what_is_not_webvtt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.vtt"
    for content in (b"1\n00:00:01,000 --> 00:00:02,000\nSubRip\n", b"WEBVTTX\n", b"\xff\xfe", b""):
        path.write_bytes(content)
        with pytest.raises(InputCorrupt, match=r"captions\.vtt"):
            read_webvtt(path)


async def test_each_segment_has_what_is_shown_in_it(made: Path) -> None:
    found = folder(made, "captions-en")
    playlist = read_playlist(found / "playlist.m3u8")
    assert [duration for duration, _ in playlist.segments[:4]] == [4, 4, 4, 4]
    film = read_playlist(folder(made, "film") / "playlist.m3u8").segments
    heard = read_playlist(folder(made, "audio-en") / "playlist.m3u8").segments
    assert sum(d for d, _ in playlist.segments) == max(
        sum(d for d, _ in film), sum(d for d, _ in heard)
    )
    assert playlist.tags["#EXT-X-TARGETDURATION"] == "4"
    said = set()
    for number, (_, uri) in enumerate(playlist.segments):
        segment = (found / uri).read_text("utf-8")
        assert segment.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n")
        assert "STYLE\n::cue { color: yellow }\n" in segment
        begin, end = number * 4000, (number + 1) * 4000
        assert read(segment) == {cue for cue in WORDS if cue[0] < end and cue[1] > begin}
        said |= read(segment)
    assert said == WORDS
    assert "line:10% align:start" in (found / "00001.vtt").read_text("utf-8")
    assert "\nacross\n00:00:03.250" in (found / "00003.vtt").read_text("utf-8")


async def test_dash_has_the_same_words_at_the_same_times(made: Path, tmp_path: Path) -> None:
    found, whole = folder(made, "captions-en"), tmp_path / "whole.mp4"
    parts = [found / "init.mp4", *sorted(found.glob("*.m4s"))]
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    pieces, at_ms = set(), 0
    with av.open(str(whole)) as container:
        for packet in container.demux(container.streams[0]):
            if packet.pts is None:
                continue
            assert packet.pts == at_ms  # without a gap, in milliseconds
            at_ms += packet.duration or 0
            pieces |= {(packet.pts, at_ms, words) for words in payloads(bytes(packet))}
    assert at_ms == 19019  # the picture's end: 570 frames of 1001/30000 s
    for start, end, text in WORDS:  # one that lies across a change comes in pieces
        mine = sorted((a, b) for a, b, words in pieces if words == text)
        assert (mine[0][0], mine[-1][1]) == (start, end)
        assert all(a[1] == b[0] for a, b in pairwise(mine))
    assert {text for _, _, text in pieces} == {text for _, _, text in WORDS}


def payloads(sample: bytes) -> Iterator[str]:
    """The words in a sample (ISO/IEC 14496-30): `payl` in `vttc`, each behind its length."""
    while sample:
        size, kind = int.from_bytes(sample[:4], "big"), sample[4:8]
        if kind == b"vttc":
            yield from payloads(sample[8:size])
        elif kind == b"payl":
            yield sample[8:size].decode()
        sample = sample[size:]


async def test_dash_covers_the_film(made: Path) -> None:
    space = "{urn:mpeg:dash:schema:mpd:2011}"
    manifest = ElementTree.parse(made / "manifest.mpd").getroot()
    sets = [e for e in manifest.iter(f"{space}AdaptationSet") if e.get("contentType") == "text"]
    assert [each.attrib["lang"] for each in sets] == ["en", "en", "pt-BR"]
    for each in sets:
        lasts = [int(s.attrib["d"]) for s in each.iter(f"{space}S")]
        assert lasts[:4] == [4000] * 4
        told = manifest.attrib["mediaPresentationDuration"]
        length_s = Fraction(told.removeprefix("PT").removesuffix("S"))
        assert abs(Fraction(sum(lasts), 1000) - length_s) < Fraction(1, 30)


async def test_the_master_tells_whose_captions_are_shown(made: Path) -> None:
    master = read_playlist(made / "master.m3u8").told
    told = [each for _, each, _ in master if each.get("TYPE") == "SUBTITLES"]
    names = ["English", "English (captions-en-2)", "Português (Brasil)"]  # no two alike
    assert [each["NAME"] for each in told] == names
    assert [each["LANGUAGE"] for each in told] == ["en", "en", "pt-BR"]
    assert [each["DEFAULT"] for each in told] == ["YES", "NO", "NO"]
    assert [each["AUTOSELECT"] for each in told] == ["YES", "NO", "YES"]  # one of a language
    assert {each["FORCED"] for each in told} == {"NO"}
    for tag, each, _ in master:
        assert (each.get("SUBTITLES") == "captions") is (tag == "#EXT-X-STREAM-INF")
        assert "wvtt" not in each.get("CODECS", "")  # Apple's players refuse it there


async def test_captions_for_all_and_for_some_are_found_by_players(
    tracks: list[Track], spoken: Path, tmp_path: Path
) -> None:
    """Apple asks for AUTOSELECT of both that are for people who do not hear, and for the general
    ones before them. The players' choice between two alike is told as a warning."""
    made = await package(
        tmp_path / "out",
        tracks,
        [
            Text(spoken, "captions-en", "en", "Sounds", hearing_impaired=True),
            Text(spoken, "captions-en-2", "en", "More sounds", hearing_impaired=True),
            Text(spoken, "captions-de", "de", "Deutsch"),
            Text(spoken, "captions-en-3", "en", "English"),
        ],
    )
    told = [each for _, each, _ in read_playlist(made / "master.m3u8").told if "FORCED" in each]
    assert [each["NAME"] for each in told] == ["English", "Sounds", "Deutsch", "More sounds"]
    assert {each["AUTOSELECT"] for each in told} == {"YES"}
    found = (await check(made)).findings
    assert {each.rule for each in found if each.where.startswith("master")} == {
        "hls-autoselect",
        "hls-several-rates",
    }


async def test_rates_count_captions_of_very_many_words(tracks: list[Track], tmp_path: Path) -> None:
    """RFC 8216bis, 4.4.6.2: BANDWIDTH is the largest sum of what can be played together."""
    words = tmp_path / "words.vtt"
    cue = f"00:00:04.000 --> 00:00:07.500\n{'many words ' * 20_000}\n"
    words.write_text(f"WEBVTT\n\n{cue}")
    rates = []
    for name, texts in (("with", [Text(words, "captions-en", "en")]), ("without", [])):
        made = await package(tmp_path / name, tracks, texts)
        assert not [each for each in (await check(made)).findings if each.severity == "error"]
        (told,) = [
            each
            for tag, each, _ in read_playlist(made / "master.m3u8").told
            if tag == "#EXT-X-STREAM-INF"
        ]
        rates.append((int(told["BANDWIDTH"]), int(told["AVERAGE-BANDWIDTH"])))
    more, mean = (one - other for one, other in zip(*rates, strict=True))
    assert more == pytest.approx(8 * len(cue) / 4, rel=0.01)
    assert mean == pytest.approx(8 * len(cue) / 19, rel=0.01)


async def test_broken_captions_leave_nothing(tracks: list[Track], tmp_path: Path) -> None:
    path = tmp_path / "broken.vtt"
    path.write_text("no captions", "utf-8")
    with pytest.raises(InputCorrupt, match=r"broken\.vtt"):
        await package(tmp_path / "out", tracks, [Text(path, "captions-en", "en")])
    assert tree(tmp_path / "out") == {}
