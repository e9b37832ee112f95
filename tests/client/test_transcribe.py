"""What a transcription may be asked, and where its files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtake import InvalidJob, Transcode, Transcribe
from longtake.identity import content_hash, located
from longtake.kinds import parse


def job(**asked: object) -> Transcribe:
    return Transcribe.model_validate({"input": "/in/My talk.mp4", "output": "/out/", **asked})


def test_a_folder_gets_a_file_of_each_format_called_as_the_input() -> None:
    assert job().writes_folder
    assert dict(job(formats=["txt", "vtt"]).texts) == {
        "vtt": "/out/My talk.vtt",
        "txt": "/out/My talk.txt",
    }
    assert len(job().texts) == 5
    assert job(output="s3://b/out", input="s3://b/a.wav").texts[0][1] == "s3://b/out/a.vtt"


def test_the_name_of_a_file_says_its_format() -> None:
    assert job(output="/out/a.SRT").texts == (("srt", "/out/a.SRT"),)
    assert not job(output="/out/a.SRT").writes_folder


@pytest.mark.parametrize(
    ("source", "film", "name"),
    [
        ("/in/a.mkv", "burn", "a.captioned.mkv"),
        ("/in/a.avi", "burn", "a.captioned.mp4"),
        ("/in/a.avi", "mux", "a.captioned.mkv"),
        ("https://h/a.mov?sig=1", "mux", "a.captioned.mov"),
    ],
)
def test_a_film_keeps_its_container_where_that_holds_text(
    source: str, film: str, name: str
) -> None:
    assert job(input=source, film=film).film_uri == f"/out/{name}"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"output": "/out/a.srt", "formats": ["vtt"]}, "drop formats"),
        ({"output": "/out/a.vtt", "film": "mux"}, "needs a folder"),
        ({"formats": ["srt"], "film": "burn"}, "add vtt"),
        ({"model": "models/small"}, "absolute path"),
        ({"language": "English"}, "use auto"),
        ({"formats": ["doc"]}, "formats"),
        ({"track": 0}, "track: 0 will not do; a track is a number from 1 to 64, or a language"),
    ],
)
def test_a_transcription_that_cannot_be_is_refused(asked: dict[str, object], words: str) -> None:
    document = {"kind": "transcribe", "input": "/in/a.mp4", "output": "/out", **asked}
    with pytest.raises(InvalidJob, match=words):
        parse(document)


def test_what_shapes_the_words_makes_another_job() -> None:
    assert content_hash(job(hot_words=["Longtake"])) != content_hash(job())
    assert content_hash(job(priority=1)) == content_hash(job())


def test_captions_of_a_transcode_are_read_and_have_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    captions = [{"source": "a.vtt", "language": "en"}]
    film = located(
        Transcode.model_validate({"input": "a.mp4", "output": "b.mp4", "captions": captions})
    )
    assert film.sources == (str(tmp_path / "a.mp4"), str(tmp_path / "a.vtt"))
    with pytest.raises(InvalidJob, match="holds no text tracks"):
        parse({"input": "a.mp4", "output": "b.mp3", "captions": captions})
