"""What pipelines keep of their steps lies in a bucket, if the work store does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import pipeline as steps
from activities import place as places
from longtake.contracts import JobResult, Pipeline, PipelineDocument
from longtake.contracts.pipeline import Checksums, ProbeStep
from longtake.contracts.steps.pipeline import (
    FactsAsked,
    PipelinePlan,
    StepAsked,
    StepDone,
    StepLooked,
    WriteRequest,
)
from longtake.pipelines.course import Course
from tests.storage.bucket import Bucket
from tests.storage.faulty import FaultyProxy

DOCUMENT = PipelineDocument.model_validate(
    {
        "inputs": {"words": {"type": "captions"}},
        "steps": {
            "kept": {
                "kind": "checksums",
                "files": [{"from": "inputs.words"}],
                "output": "sums/list",
            },
            "last": {
                "kind": "checksums",
                "files": [{"from": "kept.list"}],
                "output": "SHA256SUMS",
            },
        },
        "outputs": {"last": {"from": "last.list"}},
    }
)


@pytest.fixture
def environment(
    box: Bucket, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ActivityEnvironment]:
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGTAKE_WORK_STORE", f"s3://{box.name}/store")
    places.place.cache_clear()
    yield ActivityEnvironment()
    places.place.cache_clear()


async def test_what_is_wrong_with_an_object_is_told_of_its_address(
    environment: ActivityEnvironment, box: Bucket
) -> None:
    uri = box.put("in/noise.flac", b"no media")
    job = ProbeStep(input=uri, output=f"s3://{box.name}/facts.json")
    request = WriteRequest(job_id="job.facts", job=job, overwrite=False)
    for asked in (
        environment.run(steps.write_document, request),
        environment.run(steps.find_facts, FactsAsked(uri=uri)),
    ):
        with pytest.raises(ApplicationError, match=f": {uri} is not a media file"):
            await asked


async def test_a_step_is_known_again_until_something_changes(
    environment: ActivityEnvironment, box: Bucket
) -> None:
    words = box.put("in/words.vtt", b"WEBVTT\n")
    job = Pipeline(pipeline=DOCUMENT, inputs={"words": words}, output=f"s3://{box.name}/out")

    async def do(activity: Any, request: Any) -> Any:
        return await environment.run(activity, request)

    plan: PipelinePlan = await do(steps.prepare_pipeline, job)
    assert plan.kept.startswith(f"s3://{box.name}/store/pipelines/")
    course = Course(job, plan)
    made = course.job("kept", {"id": "job.kept"})
    assert isinstance(made, Checksums)
    asked: StepAsked = course.asked("kept", made)
    looked: StepLooked = await do(steps.look_at_step, asked)
    assert (looked.why, looked.before) == ("it was not done before", None)
    request = WriteRequest(job_id="job.kept", job=made, overwrite=True)
    result: JobResult = await do(steps.write_document, request)
    await do(steps.note_step, StepDone(asked=asked, result=result))
    key = result.outputs[0].uri.removeprefix(f"s3://{box.name}/")
    assert key.endswith("/kept/sums/list")
    assert box.get(key).decode().endswith(f"  {words}\n")

    assert (await do(steps.look_at_step, asked)).before == result
    box.put("in/words.vtt", b"WEBVTT\n")
    assert (await do(steps.look_at_step, asked)).before == result, "the same bytes"
    box.put("in/words.vtt", b"WEBVTT\n\nothers")
    assert (await do(steps.look_at_step, asked)).why == "words.vtt changed"
    box.put("in/words.vtt", b"WEBVTT\n")
    box.put(key, b"another")
    assert (await do(steps.look_at_step, asked)).why == "list is not there any more as it was made"
