"""Chapters begin where a film stops being black, silent or both, and lie at their times."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from pydantic import ValidationError

from longtake.contracts import Transcode
from longtake.contracts.chapters import Breaks
from longtake.errors import InvalidJob
from media.transcode.breaks import chapter_starts, found_breaks
from tests.media.engine import run, transcode

FRAME_S = 0.04
BLACK = ((3.0, 3.4), (5.0, 5.4), (10.0, 10.4))
SILENT = ((2.9, 3.5), (7.0, 9.7), (9.9, 10.2))
OWN = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND={end}\ntitle=Its own\n"
SHORT = {"shortest_s": 1}
EVERY = {
    "auto": [0, 3.4, 10.2],  # where both meet, until one of them ends
    "black": [0, 3.4, 5.4, 10.4],
    "silence": [0, 9.7],
}


def during(spans: tuple[tuple[float, float], ...]) -> str:
    """An expression of FFmpeg's; spans end before their end."""
    return "+".join(f"gte(t,{begin - 0.001})*lt(t,{end - 0.001})" for begin, end in spans)


def picture(*codec: str) -> list[str]:
    black = f"drawbox=c=black:t=fill:enable='{during(BLACK)}'"
    source = f"testsrc2=s=320x180:r=25:d=12,{black}"
    quick = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")
    return ["-f", "lavfi", "-i", source, *quick, *codec]


def noise() -> list[str]:
    return ["-f", "lavfi", "-i", f"aevalsrc='0.3*random(0)*not({during(SILENT)})':s=48000:d=12"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    run(*noise(), *picture(), "-c:a", "aac", "-b:a", "128k", target)
    return target


def starts(path: Path) -> list[float]:
    with av.open(f"file:{path}") as container:
        found = container.chapters()
        assert [each["metadata"]["title"] for each in found] == [
            f"Chapter {number}" for number in range(1, len(found) + 1)
        ]
        return [float(each["start"] * (each["time_base"] or 0)) for each in found]


def at(times: list[float]) -> Any:
    return pytest.approx(times, abs=FRAME_S)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
async def test_chapters_begin_where_black_and_silence_end(
    suffix: str, film: Path, tmp_path: Path
) -> None:
    made = await transcode(film, tmp_path / f"out{suffix}", preset="remux", chapters=SHORT)
    assert starts(made.path) == at(EVERY["auto"])
    assert made.facts.chapters[-1].end_s == pytest.approx(12, abs=FRAME_S)


@pytest.mark.parametrize("by", ["black", "silence"])
async def test_one_of_both_is_enough_where_that_is_asked(
    by: str, film: Path, tmp_path: Path
) -> None:
    breaks = {"by": by, **SHORT, "black_s": 0.3}
    made = await transcode(film, tmp_path / "out.mkv", preset="remux", chapters=breaks)
    assert starts(made.path) == at(EVERY[by])


async def test_chapters_of_a_clip_are_on_its_own_clock(film: Path, tmp_path: Path) -> None:
    made = await transcode(
        *(film, tmp_path / "out.mp4"), start="2.5", end="11.5", chapters=SHORT, chunk_s=2,
        video={"speed": "ultrafast"},
    )  # fmt: skip
    assert starts(made.path) == at([0, 7.7])  # the first would be of 0.9 s
    assert made.facts.chapters[-1].end_s == pytest.approx(9, abs=FRAME_S)


async def test_a_clock_that_begins_late_moves_no_chapter(film: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.ts"
    run("-i", film, "-c", "copy", "-output_ts_offset", "5000", source)
    made = await transcode(source, tmp_path / "out.mkv", preset="remux", chapters=SHORT)
    assert starts(made.path) == at(EVERY["auto"])


@pytest.mark.parametrize("suffix", [".m4a", ".mp3", ".opus", ".ogg", ".flac"])
async def test_sound_alone_is_told_by_its_silence(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    run(*noise(), source)
    made = await transcode(source, tmp_path / f"out{suffix}", chapters=SHORT)
    assert starts(made.path) == pytest.approx(EVERY["silence"], abs=0.005)


async def test_flac_in_ogg_has_them_as_comments(tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    run(*noise(), source)
    made = await transcode(source, tmp_path / "out.ogg", chapters=SHORT, audio={"codec": "flac"})
    assert starts(made.path) == pytest.approx(EVERY["silence"], abs=0.005)


async def test_sound_that_is_taken_out_of_a_film_keeps_the_films_chapters(
    film: Path, tmp_path: Path
) -> None:
    made = await transcode(film, tmp_path / "out.m4a", chapters=SHORT)
    assert starts(made.path) == at(EVERY["auto"])


async def test_a_film_without_sound_is_told_by_its_black(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    ten_bits = ("-vf", "scale=out_range=pc,format=yuv420p10", "-pix_fmt", "yuv420p10le")
    run(*picture(*ten_bits, "-color_range", "pc", "-profile:v", "high10"), source)
    options = {"preset": "remux", "chapters": SHORT | {"black_s": 0.3}}
    made = await transcode(source, tmp_path / "out.mkv", **options)
    assert starts(made.path) == at(EVERY["black"])
    with pytest.raises(InvalidJob, match="no sound"):
        await transcode(source, tmp_path / "out.mp4", preset="remux", chapters={"by": "silence"})


async def test_a_films_own_chapters_give_way_only_to_found_ones(film: Path, tmp_path: Path) -> None:
    own, source = tmp_path / "own", tmp_path / "in.mkv"
    own.write_text(OWN.format(end=12), "ascii")
    run(*("-i", film, "-i", own, "-map", "0", "-map_chapters", "1", "-c", "copy"), source)
    kept = await transcode(source, tmp_path / "a.mkv", preset="remux", chapters="detect")
    assert [chapter.title for chapter in kept.facts.chapters] == ["Its own"]
    found = await transcode(source, tmp_path / "b.mkv", preset="remux", chapters=SHORT)
    assert len(starts(found.path)) == 3
    assert found.warnings == ()


async def test_beside_captions_chapters_of_mp4_lie_in_a_track_too(tmp_path: Path) -> None:
    """Apple's players look there; a reference to a track that is not there is no MP4."""
    own, said, source = tmp_path / "own", tmp_path / "said.srt", tmp_path / "in.mp4"
    own.write_text(OWN.format(end=8), "ascii")
    said.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n", "ascii")
    lavfi, quick = ("-f", "lavfi", "-t", "8", "-i"), ("-c:v", "libx264", "-preset", "ultrafast")
    run(
        *(*lavfi, "testsrc2=s=64x36:r=24000/1001", *lavfi, "anoisesrc=r=44100", "-i", said),
        *("-i", own, "-map", "0", "-map", "1", "-map", "2", "-map_chapters", "3", *quick),
        *("-c:a", "aac", "-c:s", "mov_text", "-movie_timescale", "1000", source),
    )
    made = await transcode(source, tmp_path / "out.mp4", preset="remux")
    assert [(each.title, each.end_s) for each in made.facts.chapters] == [("Its own", 8)]
    film = made.path.read_bytes()
    named = [
        int.from_bytes(film[at.end() : at.end() + 4])
        for at in re.finditer(b"tref.{4}chap", film, re.DOTALL)
    ]
    assert named == [4, 4, 4]


def span(begin: float, end: float) -> tuple[Fraction, Fraction]:
    return Fraction(str(begin)), Fraction(str(end))


def test_where_breaks_lie_close_the_longest_counts() -> None:
    breaks = [span(9, 10), span(11, 13), span(18, 18.5), span(29, 29.9)]
    found = chapter_starts(breaks, Fraction(30), Fraction(5))
    assert [float(start) for start in found] == [0, 13, 18.5]


def test_short_black_and_short_silence_count_only_together() -> None:
    short, long = span(5, 5.3), span(5, 7.5)
    assert found_breaks([short], [short], Breaks()) == [short]
    assert found_breaks([short], None, Breaks()) == []
    assert found_breaks(None, [short], Breaks()) == []
    assert found_breaks(None, [long], Breaks()) == [long]
    assert found_breaks([short], [span(5.2, 7.5)], Breaks()) == [span(5.2, 5.3)]


@pytest.mark.parametrize("output", ["out.wav", "out.gif"])
def test_what_holds_no_chapters_is_refused_with_what_does(output: str) -> None:
    with pytest.raises(ValidationError, match=r"holds no chapters: write to one of .mp4"):
        Transcode(input="in.mp4", output=output, chapters="detect")
