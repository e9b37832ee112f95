"""Jobs that the service has forgotten, and the index has not."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from longtake import InputCorrupt, InvalidJob, JobResult, Longtake, Transcode
from longtake.contracts.result import JobError, JobSummary, Stats
from longtake.contracts.steps.common import JobRecord
from longtake.identity import job_id
from longtake.index import JobIndex
from longtake.kinds import to_json


@pytest.fixture
def index(tmp_path: Path) -> JobIndex:
    return JobIndex(tmp_path / "jobs")


@pytest.fixture
def longtake(temporal: Client, index: JobIndex) -> Longtake:
    client = Longtake(temporal)
    client._index = index
    return client


def job(clip: Path, **asked: Any) -> Transcode:
    output = str(clip.with_name("talk.mp4"))
    return Transcode.model_validate({"input": str(clip), "output": output, **asked})


def record(asked: Transcode, error: JobError | None = None) -> JobRecord:
    """What the last step of a job leaves, beside its output."""
    output = Path(asked.output)
    output.write_bytes(b"encoded")
    summary = JobSummary(
        job_id=job_id(asked),
        kind="transcode",
        state="failed" if error else "succeeded",
        closed_at=(datetime.now(UTC) + timedelta(seconds=5)).isoformat(),
    )
    made = {
        "uri": asked.output,
        "role": "main",
        "bytes": 7,
        "sha256": hashlib.sha256(b"encoded").hexdigest(),
    }
    result = JobResult.model_validate(
        {"job_id": summary.job_id, "state": summary.state, "outputs": [made]}
    )
    return JobRecord(
        summary=summary, job=to_json(asked), result=None if error else result, error=error
    )


async def test_a_forgotten_job_is_not_done_again(
    longtake: Longtake, index: JobIndex, clip: Path
) -> None:
    index.write(record(job(clip)))
    handle = await longtake.start(job(clip))
    assert handle.found == "done"
    assert (await handle.result()).outputs[0].bytes == 7
    assert (await handle.status()).state == "succeeded"
    assert [progress.fraction async for progress in handle.progress()] == [1.0]


@pytest.mark.usefixtures("control")
async def test_it_is_done_again_where_its_output_is_gone(
    longtake: Longtake, index: JobIndex, clip: Path
) -> None:
    index.write(record(job(clip)))
    await asyncio.to_thread(clip.with_name("talk.mp4").unlink)
    assert (await longtake.start(job(clip))).found == "new"


async def test_its_id_still_belongs_to_it(longtake: Longtake, index: JobIndex, clip: Path) -> None:
    index.write(record(job(clip, id="mine")))
    with pytest.raises(InvalidJob, match="'mine' belongs to another job"):
        await longtake.start(job(clip, id="mine", video={"crf": 20}))


@pytest.mark.usefixtures("control")
async def test_a_forgotten_failure_is_told_and_retried(
    longtake: Longtake, index: JobIndex, clip: Path
) -> None:
    index.write(record(job(clip, id="mine"), JobError(type="InputCorrupt", message="cut off")))
    with pytest.raises(InputCorrupt, match="cut off"):
        await longtake.result("mine")
    again = await longtake.retry("mine")
    assert (await again.result()).state == "succeeded"


async def test_what_was_counted_is_told_when_all_is_over(
    longtake: Longtake, index: JobIndex, clip: Path
) -> None:
    stats = Stats(chunks=3, counts="steps")
    done = record(job(clip, id="mine"))
    ended = JobResult(job_id="mine", state="succeeded", stats=stats)
    summary = done.summary.model_copy(update={"state": "succeeded"})
    index.write(done.model_copy(update={"result": ended, "summary": summary}))
    progress = (await longtake.get("mine")).progress
    assert (progress.chunks_done, progress.counts) == (3, "steps")


def write_newer(folder: Path) -> None:
    text = (folder / "mine.json").read_text()
    (folder / "newer.json").write_text(text.replace('"state":', '"mood": "fine", "state":'))


async def test_a_record_of_a_newer_version_hides_nothing(
    longtake: Longtake, index: JobIndex, clip: Path, tmp_path: Path
) -> None:
    index.write(record(job(clip, id="mine")))
    await asyncio.to_thread(write_newer, tmp_path / "jobs")
    assert [listed.job_id for listed in await longtake.list()] == ["mine"]
