"""Tags, chapters and cover are where other programs look for them: read back by mutagen."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from mutagen import File
from mutagen.flac import Picture

from longtake.errors import InputUnsupported
from media.programme.timeline import Mark
from media.tags.tagging import chapters_json, cover_at, not_taken
from tests.media.engine import run
from tests.media.programme import Made, stitch

RATE = 44_100
TITLES = ["One = 1; #a", "Zwei\nÄ", "Three \\ end"]
TAGS = {"title": "Ep. 1: a=b;c", "artist": "Ä & B", "album": "Show", "genre": "Podcast"}
TAGS |= {"date": "2026-01-31", "track": "7"}
TAGS |= {"comment": "Größer; # = \\ 中\nsecond line", "lyrics": "la la\nla"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three chapters of a second each, in every format, with tags and a cover."""
    folder = tmp_path_factory.mktemp("tags")
    cover = folder / "cover.jpg"
    run("-f", "lavfi", "-i", "testsrc2=s=300x300", "-frames:v", 1, "-update", 1, cover)
    source = folder / "tone.wav"
    run("-f", "lavfi", "-i", f"sine=440:r={RATE}:d=1", source)
    making = stitch(
        folder,
        timeline=[{"source": str(source), "chapter": title} for title in TITLES],
        outputs=[{"uri": str(folder / f"out.{s}")} for s in ("mp3", "m4a", "opus", "flac", "wav")],
        tags=TAGS,
        cover=str(cover),
    )
    return asyncio.run(making)


def read(path: Path) -> Any:
    return File(path)


def image(made: Made) -> bytes:
    return (made.outputs[0].parent / "cover.jpg").read_bytes()


def test_mp3_has_id3_of_version_2_4_with_chapters_and_their_table(made: Made) -> None:
    file = read(made.outputs[0])
    tags = file.tags
    assert tags.version == (2, 4, 0)
    assert [str(tags[name]) for name in ("TIT2", "TPE1", "TALB", "TCON", "TDRC", "TRCK")] == [
        *(TAGS[name] for name in ("title", "artist", "album", "genre", "date", "track"))
    ]
    (comment,), (lyrics,) = tags.getall("COMM"), tags.getall("USLT")
    assert (comment.desc, comment.text, lyrics.text) == ("", [TAGS["comment"]], TAGS["lyrics"])
    assert "TXXX:comment" not in tags
    chapters = sorted(tags.getall("CHAP"), key=lambda chapter: chapter.start_time)
    assert [(c.start_time, c.end_time) for c in chapters] == [
        *((0, 1000), (1000, 2000), (2000, 3000))
    ]
    assert [str(c.sub_frames["TIT2"]) for c in chapters] == TITLES
    (table,) = tags.getall("CTOC")
    assert table.child_element_ids == [c.element_id for c in chapters]
    (picture,) = tags.getall("APIC")
    assert (picture.type, picture.mime, picture.data) == (3, "image/jpeg", image(made))
    assert file.info.length == 3.0, "mutagen believes the delay and padding of LAME alone"


def test_m4a_has_chapters_tags_and_cover(made: Made) -> None:
    file = read(made.outputs[1])
    assert file.tags["\xa9nam"] == [TAGS["title"]]
    assert file.tags["\xa9ART"] == [TAGS["artist"]]
    assert [(round(c.start, 3), c.title) for c in file.chapters] == [
        *((float(number), title) for number, title in enumerate(TITLES))
    ]
    assert bytes(file.tags["covr"][0]) == image(made)


def test_opus_has_comments_chapters_and_cover(made: Made) -> None:
    tags = read(made.outputs[2]).tags
    assert tags["title"] == [TAGS["title"]]
    assert tags["artist"] == [TAGS["artist"]]
    assert tags["CHAPTER001"] == ["00:00:01.000"]
    assert tags["CHAPTER001NAME"] == [TITLES[1]]
    block = base64.b64decode(tags["metadata_block_picture"][0])
    picture = Picture(block)
    assert (picture.type, picture.mime, picture.data) == (3, "image/jpeg", image(made))


def test_flac_has_comments_chapters_and_cover(made: Made) -> None:
    file = read(made.outputs[3])
    assert file.tags["album"] == ["Show"]
    assert file.tags["CHAPTER002"] == ["00:00:02.000"]
    assert file.tags["CHAPTER002NAME"] == [TITLES[2]]
    assert (file.pictures[0].type, file.pictures[0].data) == (3, image(made))
    assert file.info.total_samples == 3 * RATE


def test_what_a_format_does_not_take_is_told(made: Made) -> None:
    job, cover = made.plan.job, cover_at(made.outputs[0].parent / "cover.jpg")
    words = [
        not_taken(job.tags, made.chapters, cover, facts, output.uri)
        for facts, output in zip(made.facts, job.outputs, strict=True)
    ]
    assert words[:4] == [()] * 4
    assert "out.wav: 0 of 3 chapters were kept" in words[4]
    assert "out.wav: the cover is left out: WAV did not take it" in words[4]


def test_chapters_are_those_of_podcasting_2() -> None:
    marks = [Mark(0, RATE, "One"), Mark(RATE, 3 * RATE // 2, "Two")]
    assert json.loads(chapters_json(marks, RATE, TAGS)) == {
        "version": "1.2.0",
        "title": TAGS["title"],
        "author": TAGS["artist"],
        "podcastName": "Show",
        "chapters": [
            {"startTime": 0.0, "endTime": 1.0, "title": "One"},
            {"startTime": 1.0, "endTime": 1.5, "title": "Two"},
        ],
    }


def test_a_cover_is_a_jpeg_or_png(tmp_path: Path) -> None:
    (tmp_path / "cover.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputUnsupported, match="neither JPEG nor PNG"):
        cover_at(tmp_path / "cover.gif")
