from __future__ import annotations

import os
from pathlib import Path

import pytest

from longtake.contracts.result import JobSummary
from longtake.contracts.steps.common import JobRecord
from longtake.index import JobIndex


def record(job_id: str, state: str = "succeeded") -> JobRecord:
    summary = JobSummary.model_validate({"job_id": job_id, "kind": "transcode", "state": state})
    return JobRecord(summary=summary, job={"input": "/a.mov", "output": "/b.mp4"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.mark.parametrize("job_id", ["a", "orders/42", "../../escape", "Ü" * 200, "x" * 1000])
def test_a_record_is_found_again_under_any_id(folder: Path, job_id: str) -> None:
    index = JobIndex(folder)
    index.write(record(job_id))
    assert index.read(job_id) == record(job_id)
    assert [path.parent for path in folder.rglob("*")] == [folder]


def test_nobody_else_reads_the_signed_links_of_jobs(folder: Path) -> None:
    JobIndex(folder).write(record("a"))
    assert folder.stat().st_mode & 0o077 == 0


def test_the_last_record_of_a_job_counts(folder: Path) -> None:
    index = JobIndex(folder)
    index.write(record("a", "failed"))
    index.write(record("a", "succeeded"))
    assert [found.summary.state for found in index.newest_first()] == ["succeeded"]


def test_the_newest_come_first(folder: Path) -> None:
    index = JobIndex(folder)
    for age, job_id in enumerate(["new", "old", "oldest"]):
        index.write(record(job_id))
        os.utime(folder / f"{job_id}.json", ns=(0, 10**18 - age))
    assert [found.summary.job_id for found in index.newest_first()] == ["new", "old", "oldest"]


@pytest.mark.parametrize("damage", [b"", b'{"summary": {', b"\xff\xfe", b"[]"])
def test_a_damaged_record_hides_no_other(folder: Path, damage: bytes) -> None:
    index = JobIndex(folder)
    index.write(record("whole"))
    (folder / "broken.json").write_bytes(damage)
    assert [found.summary.job_id for found in index.newest_first()] == ["whole"]
    assert index.read("broken") is None


def test_an_index_that_is_not_there_yet_is_empty(folder: Path) -> None:
    assert list(JobIndex(folder).newest_first()) == []
    assert JobIndex(folder).read("a") is None


def test_a_failed_write_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        JobIndex(folder).write(record("a"))
    assert list(folder.iterdir()) == []


def test_jobs_that_another_runs_lie_apart_and_are_found_alike(folder: Path) -> None:
    index = JobIndex(folder)
    index.write(record("alone"))
    part = record("part")
    owned = part.model_copy(update={"summary": part.summary.model_copy(update={"parent": "whole"})})
    index.write(owned)
    assert index.read("part") == owned
    assert [found.summary.job_id for found in index.newest_first()] == ["alone"]
    assert [found.summary.job_id for found in index.newest_first(parts=True)] == ["part"]
    index.write(part)
    assert index.read("part") == part, "run once more by itself: the last record counts"
    assert list(index.newest_first(parts=True)) == []
