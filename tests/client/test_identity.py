from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from longtake import Command, InvalidJob, Normalize, Preview, Transcode
from longtake.contracts.job import JobId
from longtake.identity import content_hash, details, job_id, located, summary
from longtake.kinds import parse, to_json
from longtake.paths import absolute


def job(**asked: object) -> Transcode:
    return Transcode.model_validate({"input": "/in/talk.mov", "output": "/out/Talk 1.mp4", **asked})


def test_an_id_names_kind_and_output() -> None:
    assert job_id(job()).startswith("transcode-talk-1-")


@pytest.mark.parametrize(
    "who_and_when",
    [{"priority": 1}, {"labels": {"a": "b"}}, {"deadline": "2099-01-01T00:00:00Z"}, {"id": "x"}],
)
def test_who_asks_and_how_urgently_does_not_make_another_job(who_and_when: object) -> None:
    assert content_hash(job(**who_and_when)) == content_hash(job())  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [{"start": 1}, {"video": {"crf": 20}}, {"preset": "web-720p"}])
def test_what_shapes_the_output_makes_another_job(shape: dict[str, object]) -> None:
    assert content_hash(job(**shape)) != content_hash(job())
    assert job_id(job(**shape)) != job_id(job())


def test_tenants_never_share_a_job() -> None:
    assert job_id(job(tenant="a")) != job_id(job(tenant="b"))


def test_one_time_spelt_in_two_ways_is_one_job() -> None:
    assert job_id(job(start="1:30")) == job_id(job(start=90.0))


def test_a_changed_source_is_another_job(tmp_path: Path) -> None:
    source = tmp_path / "talk.mov"
    source.write_bytes(b"a")
    before = job_id(job(input=str(source)))
    assert job_id(job(input=str(source))) == before
    os.utime(source, ns=(1, 1))
    assert job_id(job(input=str(source))) != before


def test_one_place_has_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = str(tmp_path / "a b.mov")
    assert {absolute("a b.mov"), absolute("./x/../a b.mov"), absolute(place)} == {place}
    assert absolute(f"file://{tmp_path}/a%20b.mov") == place
    assert absolute("s3://bucket/a.mov") == "s3://bucket/a.mov"


def test_an_output_that_is_the_input_by_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidJob, match="another file"):
        located(Transcode(input="a.mp4", output=str(tmp_path / "a.mp4")))


def test_a_summary_reads_like_a_sentence() -> None:
    assert summary(job(preset="web-720p")) == "transcode talk.mov → Talk 1.mp4, web-720p"


def test_every_kind_has_an_id_a_summary_and_its_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    preview = located(Preview(input="talk.mov", output="pictures/"))
    assert (preview.sources, preview.targets) == (
        (str(tmp_path / "talk.mov"),),
        (str(tmp_path / "pictures"),),
    )
    assert job_id(preview).startswith("preview-pictures-")
    assert summary(preview) == "preview talk.mov → pictures"
    command = located(Command(input="talk.mov", output="a.mkv", arguments=("-vf", "hflip")))
    assert job_id(command).startswith("command-a-")
    assert "arguments `-vf hflip`" in details(command)
    assert parse(to_json(preview)) == preview
    assert parse(to_json(command)) == command


@pytest.mark.parametrize(
    "job",
    [
        {"kind": "preview", "input": "a.mov", "output": "b", "gpu": "require"},
        {"kind": "preview", "input": "a.mov", "output": "b", "parts": []},
        {"kind": "preview", "input": "a.mov", "output": "b", "parts": ["sprites"]},
        {"kind": "command", "input": "a.mov", "output": "b.mp4", "arguments": [], "gpu": "prefer"},
        {"kind": "command", "input": "a.mov", "output": "b.m3u8", "arguments": []},
        {"kind": "command", "input": "a.mov", "output": "a.mov", "arguments": []},
        {"kind": "odd", "input": "a.mov", "output": "b.mp4"},
    ],
)
def test_a_job_that_cannot_be_is_refused(job: dict[str, object]) -> None:
    with pytest.raises(InvalidJob):
        parse(job)


def test_what_shapes_a_preview_makes_another_job() -> None:
    whole = Preview(input="/in/a.mov", output="/out/a")
    fewer = Preview(input="/in/a.mov", output="/out/a", parts=("peaks",))
    assert content_hash(whole) != content_hash(fewer)


NAMES = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/")


@given(st.text(NAMES, min_size=1, max_size=60))
def test_every_output_name_gives_a_valid_id(name: str) -> None:
    made = job_id(job(output=f"/out/{name}.mp4"))
    assert TypeAdapter(JobId).validate_python(made) == made


def test_every_file_of_an_album_is_part_of_its_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("1.flac", "2.flac"):
        (tmp_path / name).write_bytes(b"a")
    album = located(Normalize(input=("1.flac", "2.flac"), output="out"))
    assert album.sources == (str(tmp_path / "1.flac"), str(tmp_path / "2.flac"))
    assert album.targets == (str(tmp_path / "out"),)
    assert summary(album) == "normalize 1.flac, 2.flac → out"
    before = job_id(album)
    os.utime(tmp_path / "2.flac", ns=(1, 1))
    assert job_id(album) != before
    assert parse(to_json(album)) == album


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"input": []}, "at least 1"),
        ({"input": ["a.mp3"] * 65}, "at most 64"),
        ({"input": ["a.mp3", "x/a.mp3"]}, "two files are called a.mp3"),
        ({"input": ["a.mp3", "b.xyz"]}, "output b.xyz ends in '.xyz'"),
        ({"input": ["a.mp3"], "mode": "dynamic"}, "use limit or linear"),
        ({"input": "a.mp3", "output": "b.mp3", "mode": "tags", "codec": "mp3"}, "leave codec out"),
    ],
)
def test_what_cannot_be_normalized_together_is_told(asked: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidJob, match=words):
        parse({"kind": "normalize", "output": "/out", **asked})
