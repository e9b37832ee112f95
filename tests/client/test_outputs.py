from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longtake import JobResult, Output
from longtake.outputs import outputs_in_place

CLOSED = datetime(2030, 1, 1, tzinfo=UTC)
BYTES = b"a whole film"


def result(uri: str) -> JobResult:
    output = Output(
        uri=uri, role="main", bytes=len(BYTES), sha256=hashlib.sha256(BYTES).hexdigest()
    )
    return JobResult(job_id="j", state="succeeded", outputs=(output,))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(BYTES)
    touch(path, CLOSED)
    return path


def touch(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


def test_what_nobody_touched_is_in_place(film: Path) -> None:
    assert outputs_in_place(result(str(film)), CLOSED, here=True)


def test_a_copy_of_the_same_bytes_is_in_place(film: Path) -> None:
    touch(film, CLOSED + timedelta(days=1))
    assert outputs_in_place(result(str(film)), CLOSED, here=True)
    assert outputs_in_place(result(str(film)), None, here=True)


@pytest.mark.parametrize("content", [b"half", b"other whole!"])
def test_other_bytes_are_not(film: Path, content: bytes) -> None:
    film.write_bytes(content)
    touch(film, CLOSED + timedelta(seconds=1))
    assert not outputs_in_place(result(str(film)), CLOSED, here=True)


def test_what_cannot_be_seen_from_here_is_believed() -> None:
    assert outputs_in_place(result("s3://bucket/film.mp4"), CLOSED, here=True)
    assert outputs_in_place(result("/of/another/host/film.mp4"), CLOSED, here=False)
    assert not outputs_in_place(result("/of/this/host/film.mp4"), CLOSED, here=True)


def test_what_is_gone_from_a_folder_that_is_seen_is_gone(film: Path) -> None:
    film.unlink()
    assert not outputs_in_place(result(str(film)), CLOSED, here=False)
