"""Tags, chapters, covers, subtitles and fonts come along, or the result says that they did not."""

from __future__ import annotations

import base64
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen.flac import Picture
from mutagen.id3 import APIC, COMM, ID3, USLT, Encoding, PictureType

from longtake.languages import bcp47
from tests.media.engine import Made, run, transcode

TOO_LARGE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(
    ">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0
)
"""The beginning of a PNG of 400 megapixels."""
SUBTITLE = "1\n00:00:00,500 --> 00:00:01,500\nHello you\n"
TAGS = ";FFMETADATA1\ntitle=My film\nartist=Somebody\nmood=blue\n"
CHAPTERS = "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={at + 1000}\ntitle=Part {at}\n"
    for at in (0, 1000)
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "words.srt").write_text(SUBTITLE)
    (folder / "tags.txt").write_text(TAGS + CHAPTERS)
    (folder / "font.ttf").write_bytes(bytes(range(256)) * 8)
    run("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", folder / "cover.jpg")
    return folder


@pytest.fixture(scope="module")
def film(parts: Path) -> Path:
    """An MKV with everything but a cover."""
    target = parts / "film.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2", "-f", "lavfi", "-i", "sine=440:d=2"),
        *("-i", parts / "words.srt", "-i", parts / "tags.txt", "-map", "0", "-map", "1"),
        *("-map", "2", "-map_metadata", "3", "-map_chapters", "3", "-c:v", "libx264"),
        *("-pix_fmt", "yuv420p", "-preset", "ultrafast", "-c:a", "aac", "-c:s", "srt"),
        *("-metadata:s:s:0", "language=ger", "-attach", parts / "font.ttf"),
        *("-metadata:s:t:0", "mimetype=font/ttf", target),
    )
    return target


@pytest.fixture(scope="module")
def song(parts: Path) -> Path:
    """An MP3 with tags, chapters and a cover."""
    target = parts / "song.mp3"
    run(
        *("-f", "lavfi", "-i", "sine=440:d=2", "-i", parts / "cover.jpg"),
        *("-i", parts / "tags.txt", "-map", "0", "-map", "1", "-map_metadata", "2"),
        *("-map_chapters", "2", "-c:v", "copy", "-disposition:v", "attached_pic", target),
    )
    return target


@pytest.fixture(scope="module")
def sung(song: Path) -> Path:
    """That MP3, with a comment and lyrics as taggers write them."""
    target = song.with_name("sung.mp3")
    shutil.copyfile(song, target)
    tags = ID3(target)
    tags.add(COMM(encoding=Encoding.UTF16, lang="eng", desc="", text=["Größe\n中"]))
    tags.add(USLT(encoding=Encoding.UTF16, lang="deu", desc="a-b", text="la\nla"))
    tags.save()
    return target


def kinds(made: Made) -> set[str]:
    return {stream.kind for stream in made.facts.other}


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def tag(made: Made, name: str) -> str | None:
    return next((v for k, v in made.facts.tags.items() if k.casefold() == name), None)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
async def test_a_film_keeps_tags_chapters_and_subtitles(
    suffix: str, film: Path, tmp_path: Path
) -> None:
    speed = {"speed": 8} if suffix == ".webm" else {"speed": "ultrafast"}
    made = await transcode(film, tmp_path / f"out{suffix}", video=speed)
    assert tag(made, "title") == "My film"
    assert made.facts.chapter_count == 2
    assert "subtitle" in kinds(made)
    words = run("-i", made.path, "-map", "0:s:0", "-f", "srt", "-")
    assert "00:00:00,500 --> 00:00:01,500" in words
    assert "Hello you" in words
    assert not [tag for tag in made.facts.tags.values() if "libx264" in tag]


async def test_matroska_keeps_fonts_and_unusual_tags(film: Path, tmp_path: Path) -> None:
    made = await transcode(film, tmp_path / "out.mkv", video={"speed": "ultrafast"})
    assert "attachment" in kinds(made)
    assert tag(made, "mood") == "blue"
    assert made.warnings == ()


async def test_a_tag_that_matroska_renames_is_not_told_as_lost(tmp_path: Path) -> None:
    spaced = tmp_path / "spaced.mp3"
    run("-f", "lavfi", "-i", "sine=d=1", "-metadata", "my own=blue", spaced)
    made = await transcode(spaced, tmp_path / "out.mkv", video={"codec": "none"})
    assert tag(made, "my_own") == "blue"
    assert made.warnings == ()


async def test_what_mp4_cannot_take_is_named(film: Path, tmp_path: Path) -> None:
    made = await transcode(film, tmp_path / "out.mp4", video={"speed": "ultrafast"})
    said = "\n".join(made.warnings).casefold()
    assert "did not take: mood" in said
    assert "(attachment, unknown, font.ttf) is left out" in said
    assert "title" not in said


@pytest.mark.parametrize("suffix", [".m4a", ".flac", ".mp3"])
async def test_a_song_keeps_its_cover_and_tags(suffix: str, song: Path, tmp_path: Path) -> None:
    made = await transcode(song, tmp_path / f"out{suffix}")
    assert "cover" in kinds(made)
    assert tag(made, "artist") == "Somebody"
    assert len(made.facts.audio) == 1
    assert not made.facts.video


@pytest.mark.parametrize("suffix", [".m4a", ".flac", ".mp3", ".opus"])
@pytest.mark.parametrize(
    ("mime", "image"),
    [
        ("image/gif", b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,"),
        ("image/jpeg", b"what an interrupted download left"),
        ("image/png", TOO_LARGE),
    ],
    ids=("rare", "damaged", "large"),
)
async def test_a_song_outlives_a_cover_that_cannot_be_shown(
    suffix: str, mime: str, image: bytes, song: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in.mp3"
    shutil.copyfile(song, source)
    tags = ID3(source)
    tags.delall("APIC")
    tags.add(APIC(encoding=Encoding.UTF8, mime=mime, type=PictureType.COVER_FRONT, data=image))
    tags.save()
    made = await transcode(source, tmp_path / f"out{suffix}", audio={"smart_copy": False})
    assert tag(made, "artist") == "Somebody"
    assert "cover" not in kinds(made)
    assert re.search(r"stream 1 \(cover, (gif|mjpeg|png).*\) is left out", " ".join(made.warnings))
    assert made.errors == 0 or mime != "image/gif", "what we do not decode is not damaged"


async def test_a_cover_whose_kind_nobody_told_is_the_front_cover(
    song: Path, tmp_path: Path
) -> None:
    """Players that show the front cover alone would show none."""
    untold = await transcode(song, tmp_path / "untold.m4a")
    for suffix in (".mp3", ".flac"):
        made = await transcode(untold.path, tmp_path / f"out{suffix}")
        file: Any = mutagen.File(made.path)
        pictures = file.pictures if suffix == ".flac" else file.tags.getall("APIC")
        assert [picture.type for picture in pictures] == [PictureType.COVER_FRONT]


async def test_matroska_has_the_cover_as_a_file(
    song: Path, film: Path, parts: Path, tmp_path: Path
) -> None:
    """Beside a font, and again from Matroska to Matroska: the image's own bytes."""
    both = tmp_path / "both.mkv"
    run(
        *("-i", film, "-map", "0", "-c", "copy", "-attach", parts / "cover.jpg"),
        *("-metadata:s:t:1", "mimetype=image/jpeg", "-metadata:s:t:1", "filename=cover.jpg", both),
    )
    for source, job in (
        (song, {"video": {"codec": "none"}}),
        (both, {"video": {"speed": "ultrafast"}}),
    ):
        made = await transcode(source, tmp_path / f"{source.stem}-out.mkv", **job)
        assert made.warnings == ()
        cover = next(stream for stream in made.facts.other if stream.kind == "cover")
        image = tmp_path / "image"
        run("-i", made.path, "-map", f"0:{cover.index}", "-c", "copy", "-f", "image2pipe", image)
        assert image.read_bytes() == (parts / "cover.jpg").read_bytes()
        assert b"cover.jpg" in made.path.read_bytes()
        assert not leftovers(tmp_path), "nothing is left beside the output"
    assert "attachment" in kinds(made)


def only_picture(file: Any) -> Picture:
    (comment,) = file["metadata_block_picture"]
    return Picture(base64.b64decode(comment))


async def test_an_mp3_has_comment_and_lyrics_where_players_look(sung: Path, tmp_path: Path) -> None:
    made = await transcode(sung, tmp_path / "out.mp3", audio={"bitrate_bps": 96_000})
    tags = ID3(made.path)
    assert [comment.text for comment in tags.getall("COMM")] == [["Größe\n中"]]
    (lyrics,) = tags.getall("USLT")
    assert (lyrics.lang, lyrics.desc, lyrics.text) == ("deu", "a-b", "la\nla")
    assert not made.warnings
    assert tags.getall("APIC") == ID3(sung).getall("APIC"), "what lies behind has not moved"


@pytest.mark.parametrize(("name", "codec"), [("out.opus", "opus"), ("out.ogg", "flac")])
async def test_ogg_has_tags_and_the_cover_as_a_comment(
    name: str, codec: str, song: Path, parts: Path, tmp_path: Path
) -> None:
    """As mutagen reads it, which shares no code with FFmpeg."""
    made = await transcode(song, tmp_path / name, audio={"codec": codec})
    assert made.warnings == ()
    file = mutagen.File(made.path)
    cover = only_picture(file)
    assert (cover.type, cover.mime) == (PictureType.COVER_FRONT, "image/jpeg")
    assert cover.data == (parts / "cover.jpg").read_bytes()
    assert file["artist"] == ["Somebody"]
    assert not leftovers(tmp_path)
    back = await transcode(made.path, tmp_path / "back.mp3")
    assert tag(back, "artist") == "Somebody"
    assert "cover" in kinds(back)


async def test_a_cover_may_be_longer_than_a_page_and_an_argument(
    song: Path, tmp_path: Path
) -> None:
    image, source = tmp_path / "cover.png", tmp_path / "in.flac"
    noise = "nullsrc=s=400x400,geq=random(1)*255:128:128"
    run("-f", "lavfi", "-i", noise, "-frames:v", "1", "-pix_fmt", "rgb24", image)
    assert image.stat().st_size > 128 << 10
    run(
        *("-i", song, "-i", image, "-map", "0:a", "-map", "1", "-c:v", "copy"),
        *("-disposition:v", "attached_pic", source),
    )
    made = await transcode(source, tmp_path / "out.opus")
    cover = only_picture(mutagen.File(made.path))
    assert (cover.mime, cover.data) == ("image/png", image.read_bytes())


async def test_a_clip_keeps_tags_and_names_what_is_timed_to_the_whole(
    film: Path, tmp_path: Path
) -> None:
    made = await transcode(film, tmp_path / "out.mkv", end=1, video={"speed": "ultrafast"})
    assert tag(made, "title") == "My film"
    assert made.facts.chapter_count == 0
    assert made.warnings == ("0 of 2 chapters were kept",)


SAID = {"one": (0.5, 1.5), "two": (1.8, 2.6), "three": (3, 3.5), "four": (4, 5.5), "five": (5, 6)}
IN_THE_CLIP = {"two": (0, 0.35), "three": (0.75, 1.25), "four": (1.75, 2.5)}
"""From 2.25 to 4.75."""


@pytest.fixture(scope="module")
def spoken(parts: Path) -> Path:
    """A film of six seconds with five subtitles, and the same as ASS and as MP4."""
    words, target = parts / "spoken.srt", parts / "spoken.mkv"
    blocks = (f"{clock(a)} --> {clock(b)}\n{word}\n" for word, (a, b) in SAID.items())
    words.write_text("\n".join(f"{number}\n{block}" for number, block in enumerate(blocks, 1)))
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=6", "-f", "lavfi", "-i", "sine=440:d=6"),
        *("-i", words, "-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-pix_fmt"),
        *("yuv420p", "-preset", "ultrafast", "-c:a", "aac", "-c:s", "srt", target),
    )
    for name, codec in (("styled.mkv", "ass"), ("spoken.mp4", "mov_text")):
        run("-i", target, "-map", "0", "-c", "copy", "-c:s", codec, parts / name)
    return parts


def clock(seconds: float) -> str:
    return f"00:00:{seconds:06.3f}".replace(".", ",")


def cues(path: Path) -> dict[str, tuple[float, float]]:
    """The words of the first subtitles, and from when to when they are shown."""
    blocks = run("-i", path, "-map", "0:s:0", "-f", "srt", "-").strip().split("\n\n")
    found = {}
    for _, times, word in (block.split("\n") for block in blocks if block):
        begin, end = (each.replace(",", ".").split(":") for each in times.split(" --> "))
        found[re.sub("<[^>]*>", "", word)] = (float(begin[2]), float(end[2]))
    return found


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("spoken.mkv", "out.mkv"),
        ("spoken.mkv", "out.mp4"),
        ("spoken.mkv", "out.webm"),
        ("spoken.mp4", "out.mp4"),
        ("spoken.mp4", "out.mkv"),
        ("styled.mkv", "out.mkv"),
    ],
)
async def test_a_clip_says_what_is_said_in_it_when_it_is_said(
    source: str, name: str, spoken: Path, tmp_path: Path
) -> None:
    speed = {"speed": 8} if name.endswith(".webm") else {"speed": "ultrafast"}
    clip = {"start": "2.25", "end": "4.75"}
    made = await transcode(spoken / source, tmp_path / name, video=speed, **clip)
    assert made.warnings == ()
    found = cues(made.path)
    assert list(found) == list(IN_THE_CLIP)
    for word, times in IN_THE_CLIP.items():
        assert found[word] == pytest.approx(times, abs=0.0015), word
    assert made.facts.duration_s == pytest.approx(2.5, abs=0.04)


async def test_a_clip_in_which_nobody_speaks_is_made(spoken: Path, tmp_path: Path) -> None:
    clip = {"start": "1.55", "end": "1.75"}
    for name in ("out.mkv", "out.mp4"):
        made = await transcode(
            spoken / "spoken.mkv", tmp_path / name, video={"speed": "ultrafast"}, **clip
        )
        assert cues(made.path) == {}
        assert made.facts.duration_s == pytest.approx(0.2, abs=0.04)


async def test_chapters_stay_where_they_are_where_mp3_is_copied(tmp_path: Path) -> None:
    source, told = tmp_path / "in.mp3", tmp_path / "chapters.txt"
    told.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Two\n"
    )
    sound = ("-f", "lavfi", "-i", "sine=440:r=44100:d=2")
    run(*sound, "-i", told, "-map", "0", "-map_chapters", "1", "-c:a", "libmp3lame", source)
    made = await transcode(source, tmp_path / "out.mp3", audio={"codec": "copy"})
    marks = sorted((mark.start_time, mark.end_time) for mark in ID3(made.path).getall("CHAP"))
    assert marks == [(0, 1000), (1000, 2000)]


@pytest.fixture(scope="module")
def dubbed(parts: Path) -> Path:
    """An MKV with sound in three languages, two of them with a title, and subtitles in Czech."""
    target = parts / "dubbed.mkv"
    run(
        *("-f", "lavfi", "-i", "sine=440:d=1", "-i", parts / "words.srt"),
        *("-map", "0", "-map", "0", "-map", "0", "-map", "1", "-c:a", "aac", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=fre", "-metadata:s:a:1", "language=hr"),
        *("-metadata:s:a:2", "language=nno", "-metadata:s:a:0", "title=Director"),
        *("-metadata:s:a:1", "title=Zwei", "-metadata:s:s:0", "language=cze"),
        *("-metadata:s:s:0", "title=Signs", target),
    )
    return target


@pytest.mark.parametrize("codec", ["aac", "copy"])
async def test_tracks_keep_their_languages_and_titles_in_quicktime_and_out_of_it(
    codec: str, dubbed: Path, tmp_path: Path
) -> None:
    sound = {"codec": codec, "tracks": "all"}
    film = await transcode(dubbed, tmp_path / "film.mov", video={"codec": "none"}, audio=sound)
    back = await transcode(film.path, tmp_path / "back.mkv", video={"codec": "none"}, audio=sound)
    for made in (film, back):
        tracks = made.facts.audio
        assert [bcp47(track.language) for track in tracks] == ["fr", "hr", None]
        assert [track.title for track in tracks] == ["Director", "Zwei", None]
        texts = [each for each in made.facts.other if each.kind == "subtitle"]
        assert [(bcp47(text.language), text.title) for text in texts] == [("cs", "Signs")]
    assert "the language of sound track 3, nno, is left out: MOV did not take it" in "\n".join(
        film.warnings
    )
    assert not any("language of" in words for words in back.warnings)


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav"])
async def test_a_file_for_one_sound_keeps_its_language(
    suffix: str, dubbed: Path, tmp_path: Path
) -> None:
    made = await transcode(dubbed, tmp_path / f"one{suffix}", audio={"tracks": ("fr",)})
    back = await transcode(made.path, tmp_path / "back.m4a")
    for each in (made, back):
        assert [bcp47(track.language) for track in each.facts.audio] == ["fr"]
        assert not any("language" in words for words in each.warnings)
