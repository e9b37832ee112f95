"""A pattern, a folder, a prefix and a list each stand for the files they name, and no others."""

# ruff: noqa: ASYNC240 - tiny files

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from longtake.batches import Entry
from longtake.errors import InputForbidden, InputNotFound, InvalidJob
from storage.base import Storage
from storage.cache import FingerprintCache
from storage.expand import expand
from storage.local import LocalStorage
from storage.s3 import S3Storage
from tests.storage.bucket import Bucket

FILES = ("a.mp4", "b.mov", "sub/a.mp4", "sub/deep/c.mp4", ".hidden.mp4", "out/made.mp4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
    return tmp_path / "in"


def storages(uri: str) -> Storage:
    return LocalStorage(FingerprintCache(Path("/nonexistent")))


async def found(
    uri: str | Path, output: str | Path = "/nowhere", s3: Storage | None = None
) -> list[Entry]:
    def either(uri: str) -> Storage:
        return s3 if s3 is not None and uri.startswith("s3://") else storages(uri)

    return await expand(str(uri), str(output), either)


async def names(uri: str | Path, output: str | Path = "/nowhere") -> list[str]:
    return [entry.name for entry in await found(uri, output)]


async def test_a_pattern_keeps_the_folders_below_where_it_begins(folder: Path) -> None:
    assert await names(folder / "**/*.mp4", folder / "out") == [
        *("a.mp4", "sub/a.mp4", "sub/deep/c.mp4"),
    ]
    assert await names(folder / "sub" / "*.mp4") == ["a.mp4"]
    assert await names(folder / "[ab].m*") == ["a.mp4", "b.mov"]


async def test_a_folder_is_all_below_it_but_what_is_hidden_and_its_outputs(folder: Path) -> None:
    assert await names(folder, folder / "out") == [
        *("a.mp4", "b.mov", "sub/a.mp4", "sub/deep/c.mp4"),
    ]


async def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "talk [1].mp4"
    path.write_bytes(b"film")
    assert await names(path) == ["talk [1].mp4"]


async def test_links_lead_to_each_file_once_and_never_to_the_outputs(folder: Path) -> None:
    (folder / "sub" / "back").symlink_to(folder)
    (folder / "away").symlink_to(folder / "sub")
    (folder / "gone.mp4").symlink_to(folder / "nothing.mp4")
    (folder / "made").symlink_to(folder / "out")
    expected = ["a.mp4", "away/a.mp4", "away/deep/c.mp4", "sub/a.mp4", "sub/deep/c.mp4"]
    assert await names(folder / "**/*.mp4", folder / "out") == expected
    (folder.parent / "link").symlink_to(folder)
    assert await names(folder.parent / "link" / "**/*.mp4", folder / "out") == expected
    with pytest.raises(InputNotFound, match="lies in the output's folder"):
        await found(folder / "*.mp4", folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_folder_that_may_not_be_read_is_told_of(folder: Path) -> None:
    (folder / "sub").chmod(0)
    try:
        entries = await found(folder / "**/*.mp4", folder / "out")
    finally:
        (folder / "sub").chmod(0o700)
    assert [(e.name, e.problem) for e in entries] == [
        ("a.mp4", None),
        ("sub", f"{folder}/sub may not be read; check its permissions"),
    ]
    folder.chmod(0)
    try:
        for pattern in (folder, folder / "*.mp4", folder / "**/*.mp4"):
            with pytest.raises(InputForbidden, match="may not be read"):
                await found(pattern)
    finally:
        folder.chmod(0o700)


async def test_names_in_a_list_may_have_what_looks_like_the_end_of_a_line(folder: Path) -> None:
    for name in ("a\u2028b.mp4", "c\x85d.mp4", "-e.mp4", "f g.mp4"):
        (folder / name).write_bytes(b"film")
    listed = ["a\u2028b.mp4", "c\x85d.mp4", "-e.mp4", "f g.mp4"]
    (folder / "l.txt").write_text("\n".join(listed) + "\n")
    assert await names(folder / "l.txt") == listed


async def test_nothing_found_is_an_error(folder: Path) -> None:
    with pytest.raises(InputNotFound, match="stands for no file"):
        await found(folder / "*.flac")


async def test_lists_of_each_form_say_the_same(folder: Path) -> None:
    (folder / "l.txt").write_text("# films\na.mp4\n\nsub/a.mp4\n")
    (folder / "l.csv").write_text("input,output,video.crf,end\na.mp4,x.mp4,30,\nsub/a.mp4,,,1:30\n")
    rows = [
        {"input": "a.mp4", "output": "x.mp4", "video": {"crf": "30"}},
        {"input": "sub/a.mp4", "end": "1:30"},
    ]
    (folder / "l.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n"b.mov"\n')
    plain = await found(folder / "l.txt")
    assert [entry.input for entry in plain] == [f"{folder}/a.mp4", f"{folder}/sub/a.mp4"]
    table, lines = await found(folder / "l.csv"), await found(folder / "l.jsonl")
    assert [(e.input, e.output, e.options) for e in table] == [
        (f"{folder}/a.mp4", "x.mp4", {"video": {"crf": "30"}}),
        (f"{folder}/sub/a.mp4", None, {"end": "1:30"}),
    ]
    assert [(e.input, e.output, e.options) for e in lines[:2]] == [
        (e.input, e.output, e.options) for e in table
    ]
    assert lines[2].input == f"{folder}/b.mov"
    assert [entry.where for entry in table] == ["l.csv:2", "l.csv:3"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("l.jsonl", '"a.mp4"\n{"input": \n', r"l\.jsonl:2 cannot be read"),
        ("l.jsonl", '{"output": "a.mp4"}\n', r"l\.jsonl:1 has no input"),
        ("l.jsonl", '{"input": "a.mp4", "id": "x"}\n', r"l\.jsonl:1: id is the batch's"),
        ("l.csv", "file\na.mp4\n", r"l\.csv:2 has no input"),
        ("l.csv", 'input\n"a.mp4\n', r"l\.csv is no CSV"),
        (
            "l.csv",
            "input\na.mp4,b.mp4\n",
            r"l\.csv:2 cannot be read: the first line names no column",
        ),
        (
            "l.csv",
            "input,\na.mp4,b.mp4\n",
            r"l\.csv:2 cannot be read: the first line names no column",
        ),
        ("l.jsonl", "[" * 100_000, r"l\.jsonl:1 cannot be read"),
        ("l.csv", "input,input\na.mp4,b.mp4\n", r"l\.csv is no CSV: column 'input' is there twice"),
        ("l.txt", "a\0/b.mp4\0c.mp4", r"l\.txt:1 has a character of zero"),
        ("l.txt", "a.mp4\n/\n", r"l\.txt:2: / names no file"),
        ("l.txt", "a" * 5000, r"l\.txt:1: an address has at most"),
    ],
)
async def test_a_line_that_says_nothing_is_named(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidJob, match=words):
        await found(tmp_path / name)


async def test_files_that_a_list_names_count_from_where_it_lies(folder: Path) -> None:
    (folder / "l.csv").write_text("input,video.captions.file,inputs.cover\na.mp4,a.vtt,/c.png\n")
    (entry,) = await expand(str(folder / "l.csv"), "/nowhere", storages, "transcode")
    assert entry.options == {
        "video": {"captions": {"file": f"{folder}/a.vtt"}},
        "inputs": {"cover": "/c.png"},
    }
    (folder / "p.jsonl").write_text('{"input": "a.mp4", "inputs": {"cover": "c.png"}}\n')
    (entry,) = await expand(str(folder / "p.jsonl"), "/nowhere", storages, "pipeline")
    assert entry.options == {"inputs": {"cover": f"{folder}/c.png"}}


async def test_a_prefix_and_a_pattern_in_a_bucket(box: Bucket, s3: S3Storage) -> None:
    for key in ("in/a.mp4", "in/b.mov", "in/sub/a.mp4", "in/sub/deep/c.mp4", "index.mp4"):
        box.put(key, b"film")
    root = f"s3://{box.name}"

    async def keys(pattern: str, output: str = "s3://other") -> list[tuple[str, str]]:
        entries = await found(f"{root}/{pattern}", output, s3)
        return [(entry.input.removeprefix(f"{root}/"), entry.name) for entry in entries]

    assert await keys("in/*.mp4") == [("in/a.mp4", "a.mp4")]
    assert await keys("in/**/*.mp4") == [
        *(("in/a.mp4", "a.mp4"), ("in/sub/a.mp4", "sub/a.mp4")),
        ("in/sub/deep/c.mp4", "sub/deep/c.mp4"),
    ]
    assert await keys("in/", f"{root}/in/sub") == [("in/a.mp4", "a.mp4"), ("in/b.mov", "b.mov")]
    box.put("lists/l.txt", b"../in/a.mp4\nb.mp4\ns3://else/c.mp4\n")
    listed = await found(f"{root}/lists/l.txt", "s3://other", s3)
    assert [entry.input for entry in listed][1:] == [f"{root}/lists/b.mp4", "s3://else/c.mp4"]
