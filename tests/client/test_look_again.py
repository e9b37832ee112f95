"""A job that is done is done again when what it read was replaced, wherever that lies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from longtake import InputNotFound, InvalidJob, Longtake, ServiceUnreachable, Transcode, look_again
from longtake.contracts.result import JobResult, JobSummary, Output, SourceRead
from longtake.contracts.steps.common import JobRecord, PlacesAsked, PlacesChanged
from longtake.identity import job_id
from longtake.index import JobIndex
from longtake.kinds import to_json
from longtake.queues import CONTROL_QUEUE, task_queue
from tests.client.stand_in import StandIn
from tests.patience import becomes
from workflows.look_again import LookAgainWorkflow

SOURCE = "s3://films/in.mov"
OUTPUT = "s3://films/out.mp4"
LINK = "https://host/get?mark=1"
JOB = Transcode.model_validate(
    {
        "input": SOURCE,
        "output": OUTPUT,
        "video": {"watermark": {"image": LINK}},
        "labels": {"hold": "yes"},
    }
)


class Storages:
    """What lies where, and how often a worker looked."""

    def __init__(self) -> None:
        self.versions = {SOURCE: "one", LINK: "logo"}
        self.made = {OUTPUT: "1" * 64}
        self.looks = 0

    @activity.defn(name="look_again")
    async def look_again(self, asked: PlacesAsked) -> PlacesChanged:
        self.looks += 1
        for source in asked.sources:
            if source.uri not in self.versions:
                words = f"there is no object {source.uri}"
                raise ApplicationError(words, type="InputNotFound", non_retryable=True)
        changed = [s.uri for s in asked.sources if self.versions[s.uri] not in s.versions]
        changed += [o.uri for o in asked.outputs if self.made.get(o.uri) != o.sha256]
        return PlacesChanged(uris=tuple(changed))


@pytest.fixture
async def storages(temporal: Client) -> AsyncIterator[Storages]:
    storages = Storages()
    config = temporal.config()
    config["data_converter"] = pydantic_data_converter
    typed = Client(**config)
    control = Worker(typed, task_queue=CONTROL_QUEUE, workflows=[StandIn, LookAgainWorkflow])
    io = Worker(typed, task_queue=task_queue("io"), activities=[storages.look_again])
    async with control, io:
        yield storages


@pytest.fixture
def longtake(temporal: Client, tmp_path: Path) -> Longtake:
    """A client whose index knows that the job was done, from the first version of everything."""
    client = Longtake(temporal)
    client._index = JobIndex(tmp_path / "jobs")
    client._index.write(record())
    return client


def record() -> JobRecord:
    read = [("s3://films/in.mov", "one"), ("https://host/get", "logo")]
    result = JobResult(
        job_id=job_id(JOB),
        state="succeeded",
        outputs=(Output(uri=OUTPUT, role="main", bytes=4, sha256="1" * 64),),
        sources=tuple(
            SourceRead(uri=uri, bytes=4, sha256="0" * 64, version=version) for uri, version in read
        ),
    )
    summary = JobSummary(
        job_id=result.job_id,
        kind="transcode",
        state="succeeded",
        closed_at=datetime.now(UTC).isoformat(),
    )
    return JobRecord(summary=summary, job=to_json(JOB), result=result)


async def test_sources_that_are_as_they_were_are_not_read_again(
    longtake: Longtake, storages: Storages
) -> None:
    assert (await longtake.start(JOB)).found == "done"
    assert storages.looks == 1

    async def kinds() -> list[str]:
        return [listed.kind for listed in await longtake.list()]

    await becomes(kinds, ["transcode"])  # a look is no job


@pytest.mark.parametrize("replaced", [SOURCE, LINK])
async def test_a_replaced_source_is_done_again(
    longtake: Longtake, storages: Storages, replaced: str
) -> None:
    storages.versions[replaced] = "two"
    assert (await longtake.start(JOB)).found == "new"


@pytest.mark.parametrize("there", [{}, {OUTPUT: "2" * 64}], ids=["gone", "replaced"])
async def test_an_output_that_is_not_there_as_it_was_made_is_made_again(
    longtake: Longtake, storages: Storages, there: dict[str, str]
) -> None:
    storages.made = there
    assert (await longtake.start(JOB)).found == "new"


async def test_a_source_that_is_gone_leaves_the_job_done(
    longtake: Longtake, storages: Storages
) -> None:
    del storages.versions[SOURCE]
    with pytest.raises(InputNotFound, match=r"there is no object s3://films/in.mov\. job .* done"):
        await longtake.start(JOB)
    assert (await longtake.get(job_id(JOB))).state == "succeeded"


async def test_without_a_worker_nothing_is_claimed(
    longtake: Longtake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_again, "ANSWER_WITHIN", look_again.ANSWER_WITHIN / 30)
    with pytest.raises(ServiceUnreachable, match="no worker said within 2 s"):
        await longtake.start(JOB)


async def test_a_look_is_only_for_the_same_job(longtake: Longtake, storages: Storages) -> None:
    other = JOB.model_copy(update={"id": job_id(JOB), "overwrite": True})
    with pytest.raises(InvalidJob, match="belongs to another job"):
        await longtake.start(other)
    assert storages.looks == 0
