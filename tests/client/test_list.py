from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from longtake import JobSummary, Longtake, LongtakeError, Transcode
from longtake.contracts.result import JobError
from longtake.contracts.steps.common import JobRecord
from longtake.index import JobIndex
from longtake.listing import JobFilter, list_jobs
from tests.patience import WAIT_S, becomes, until


async def submit(longtake: Longtake, clip: Path, name: str, **asked: Any) -> None:
    output = str(clip.with_name(f"{name}.mp4"))
    handle = await longtake.start(
        Transcode.model_validate({"id": name, "input": str(clip), "output": output, **asked})
    )
    if "hold" not in asked.get("labels", {}):
        try:
            await handle.result()
        except LongtakeError:
            pass


async def names(longtake: Longtake, **wanted: Any) -> set[str]:
    return {job.job_id for job in await longtake.list(**wanted)}


@pytest.mark.usefixtures("control")
async def test_jobs_are_listed_and_filtered(longtake: Longtake, clip: Path) -> None:
    await submit(longtake, clip, "done")
    await submit(longtake, clip, "held", labels={"hold": "yes"}, tenant="acme")
    await submit(longtake, clip, "broken", labels={"fail": "Poisoned"}, preset="web-480p")
    assert await names(longtake) == {"done", "held", "broken"}
    assert await names(longtake, state="succeeded") == {"done"}
    assert await names(longtake, state="failed") == {"broken"}
    assert await names(longtake, state="running") == {"held"}
    assert await names(longtake, state="queued") == set()
    assert await names(longtake, tenant="acme") == {"held"}
    assert await names(longtake, tenant="it's nobody") == set()
    assert await names(longtake, kind="transcode") == {"done", "held", "broken"}
    assert await names(longtake, kind="package") == set()
    assert await names(longtake, error="Poisoned") == {"broken"}
    assert await names(longtake, error="InputCorrupt") == set()
    now = datetime.now(UTC)
    assert await names(longtake, since=now - timedelta(hours=1)) == {"done", "held", "broken"}
    assert await names(longtake, since=now + timedelta(hours=1)) == set()
    assert await names(longtake, parent="done") == set()
    assert len(await longtake.list(limit=2)) == 2


@pytest.mark.usefixtures("control")
async def test_a_job_that_was_retried_is_listed_as_it_is_now(
    longtake: Longtake, clip: Path
) -> None:
    await submit(longtake, clip, "job", labels={"fail": "Poisoned"})
    await submit(longtake, clip, "job", labels={"hold": "yes"})
    assert await names(longtake, state="failed") == set()
    assert await names(longtake, error="Poisoned") == set()
    (line,) = await longtake.list()
    assert line.state in ("queued", "running")


@pytest.mark.usefixtures("control")
async def test_a_line_of_the_list_says_what_it_is(longtake: Longtake, clip: Path) -> None:
    await submit(longtake, clip, "done", preset="web-720p", labels={"episode": "42"})
    async with asyncio.timeout(WAIT_S):
        while True:  # Temporal's list comes a moment behind its workflows
            (line,) = await longtake.list()
            if line.closed_at is not None:
                break
            await asyncio.sleep(0.1)
    assert line.labels == {"episode": "42"}
    assert (line.input, line.output) == (str(clip), str(clip.with_name("done.mp4")))
    assert (line.preset, line.tenant, line.stage) == ("web-720p", "default", None)
    assert line.started_at is not None


@pytest.mark.usefixtures("control")
async def test_a_job_that_temporal_alone_started_says_what_it_is(
    longtake: Longtake, temporal: Client, clip: Path
) -> None:
    job = {"input": str(clip), "output": "/out/talk.mp4", "labels": {"episode": "42"}}
    await temporal.start_workflow("Transcode", job, id="by-hand", task_queue="longtake")
    (line,) = await until(longtake.list)  # Temporal's list comes a moment behind its workflows
    assert (line.input, line.output, line.labels) == (str(clip), "/out/talk.mp4", {"episode": "42"})


def record(job_id: str, state: str, started_at: str) -> JobRecord:
    summary = JobSummary.model_validate(
        {"job_id": job_id, "kind": "transcode", "state": state, "started_at": started_at}
    )
    return JobRecord(summary=summary, job={"input": "/a.mov", "output": "/b.mp4"})


@pytest.mark.usefixtures("control")
async def test_jobs_that_temporal_forgot_are_listed_from_the_index(
    longtake: Longtake, temporal: Client, clip: Path, tmp_path: Path
) -> None:
    index = JobIndex(tmp_path / "jobs")
    index.write(record("forgotten", "failed", "2001-01-01T00:00:00+00:00"))
    index.write(record("job", "failed", "2001-01-02T00:00:00+00:00"))
    await submit(longtake, clip, "job")

    async def everything() -> list[tuple[str, str]]:
        listed = await list_jobs(temporal, index, JobFilter(), 10)
        return [(job.job_id, job.state) for job in listed]

    await becomes(everything, [("job", "succeeded"), ("forgotten", "failed")])
    failed = await list_jobs(temporal, index, JobFilter(state="failed"), 10)
    assert [job.job_id for job in failed] == ["forgotten"]


@pytest.mark.usefixtures("control")
async def test_a_full_list_has_the_newest_whoever_remembers_them(
    longtake: Longtake, temporal: Client, clip: Path, tmp_path: Path
) -> None:
    index = JobIndex(tmp_path / "jobs")
    index.write(record("old", "failed", "2001-01-01T00:00:00+00:00"))
    await submit(longtake, clip, "job")
    index.write(record("new", "failed", (datetime.now(UTC) + timedelta(hours=1)).isoformat()))

    async def listed(limit: int) -> list[str]:
        return [job.job_id for job in await list_jobs(temporal, index, JobFilter(), limit)]

    await becomes(lambda: listed(2), ["new", "job"])
    assert await listed(1) == ["new"]
    assert await listed(3) == ["new", "job", "old"]


def test_records_that_were_written_earlier_need_not_be_read(tmp_path: Path) -> None:
    index = JobIndex(tmp_path)
    index.write(record("old", "failed", "2001-01-01T00:00:00+00:00"))
    (path,) = tmp_path.glob("*.json")
    os.utime(path, (1_000_000_000, 1_000_000_000))  # in September 2001
    index.write(record("new", "failed", "2002-01-01T00:00:00+00:00"))

    def since(moment: datetime | None) -> list[str]:
        return [each.summary.job_id for each in index.newest_first(moment)]

    assert since(None) == since(datetime(2001, 9, 1, tzinfo=UTC)) == ["new", "old"]
    assert since(datetime(2001, 10, 1, tzinfo=UTC)) == ["new"]


async def test_a_failed_job_says_in_the_list_why(
    longtake: Longtake, temporal: Client, clip: Path, tmp_path: Path
) -> None:
    index = JobIndex(tmp_path / "jobs")
    known = record("forgotten", "failed", "2001-01-01T00:00:00+00:00")
    error = JobError(type="InputCorrupt", message="the end is missing")
    index.write(known.model_copy(update={"error": error}))
    (line,) = await list_jobs(temporal, index, JobFilter(), 10)
    assert line.error == error
    for wanted, found in (
        (JobFilter(error="InputCorrupt"), 1),
        (JobFilter(error="Poisoned"), 0),
        (JobFilter(since=datetime(2000, 12, 31, tzinfo=UTC)), 1),
        (JobFilter(since=datetime(2001, 1, 2, tzinfo=UTC)), 0),
        (JobFilter(parent="batch"), 0),
    ):
        assert len(await list_jobs(temporal, index, wanted, 10)) == found


async def test_jobs_that_a_newer_worker_noted_are_listed_too(
    temporal: Client, tmp_path: Path
) -> None:
    index = JobIndex(tmp_path / "jobs")
    index.write(record("newer", "failed", "2001-01-01T00:00:00+00:00"))
    (path,) = (tmp_path / "jobs").glob("*.json")
    document = json.loads(path.read_text())
    document["learnt"] = document["summary"]["learnt"] = "a field of a later version"
    document["error"] = {"type": "InputCorrupt", "message": "the end is missing", "learnt": 1}
    path.write_text(json.dumps(document))
    (line,) = await list_jobs(temporal, index, JobFilter(), 10)
    assert (line.job_id, line.error and line.error.type) == ("newer", "InputCorrupt")
