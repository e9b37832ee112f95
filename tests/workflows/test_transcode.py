"""The order of things in a Transcode, on a real Temporal server with steps that only pretend."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from longtake.contracts import EncodeSettings, JobResult, MediaFacts, Stats, Transcode
from longtake.contracts.chapters import Breaks
from longtake.contracts.encode import AudioSettings, VideoSettings
from longtake.contracts.steps.common import (
    ASSEMBLE,
    CONCLUDE,
    AssembleRequest,
    AudioRequest,
    EncodeDone,
    JobRecord,
    Nothing,
    Published,
    Source,
)
from longtake.contracts.steps.transcode import (
    ADMIT,
    ANALYSE_CHUNK,
    CHUNK_MISMATCH,
    ENCODE_AUDIO,
    ENCODE_CHUNK,
    FIND_BORDERS,
    FIND_CHAPTERS,
    PLAN,
    Admission,
    Analysed,
    Borders,
    BordersRequest,
    ChaptersFound,
    ChaptersRequest,
    ChunkRequest,
    PlanRequest,
    PlanSummary,
)
from longtake.errors import LongtakeError
from tests.media.test_picture import video
from tests.patience import WAIT_S
from tests.workflows.pretend import not_published
from workflows.control import WINDOW
from workflows.transcode import TranscodeWorkflow

JOB = {"input": "/media/talk.mov", "output": "/media/talk.mp4", "preset": "web-720p"}


class Pretend:
    """Steps that do nothing, remember what they were asked, and fail as they are told."""

    def __init__(self) -> None:
        self.chunks = 3
        self.mismatch = False
        self.ignores_cancel = False
        self.hang = asyncio.Event()
        self.hang.set()
        self.video = VideoSettings()
        self.target_bytes: int | None = None
        self.chunk_requests: list[ChunkRequest] = []
        self.looked = 0
        self.chapters = 3
        self.breaks: list[ChaptersRequest] = []
        self.plans: list[PlanRequest] = []
        self.assembled: list[AssembleRequest] = []
        self.records: list[JobRecord] = []

    @activity.defn(name=ADMIT.name)
    async def admit(self, job: Transcode) -> Admission:
        return Admission(
            source=Source(uri=job.input, bytes=1, sha256="0" * 64, version="1"),
            facts=MediaFacts(
                container="mov", duration_s=10.0, start_s=0.0, bytes=1, video=(video(),)
            ),
            settings=EncodeSettings(
                preset="web-720p",
                video=self.video.model_copy(update={"crop": job.video.crop}),
                audio=AudioSettings(),
                container="mp4",
            ),
            index_key="index",
        )

    @activity.defn(name=FIND_BORDERS.name)
    async def find_borders(self, request: BordersRequest) -> Borders:
        self.looked += 1
        return Borders(crop="320:132:0:24")

    @activity.defn(name=FIND_CHAPTERS.name)
    async def find_chapters(self, request: ChaptersRequest) -> ChaptersFound:
        self.breaks.append(request)
        while not self.hang.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.05)
        done = EncodeDone(key="chapters", frames=0, reused=False, stats=Stats(cpu_s=2))
        return ChaptersFound(done=done, count=self.chapters)

    @activity.defn(name=PLAN.name)
    async def plan(self, request: PlanRequest) -> PlanSummary:
        self.plans.append(request)
        count = 1 if request.whole else self.chunks
        return PlanSummary(
            plan_key="plan",
            engine="1",
            chunks=count,
            frames=10 * count,
            target_bytes=self.target_bytes,
            media_s=10.0,
            sounds=(0,),
        )

    @activity.defn(name=ANALYSE_CHUNK.name)
    async def analyse_chunk(self, request: ChunkRequest) -> Analysed:
        return Analysed(
            key=f"analysis-{request.number}",
            frames=10,
            reused=False,
            stats=Stats(),
            bytes=100 * (request.number + 1),
        )

    @activity.defn(name=ENCODE_CHUNK.name)
    async def encode_chunk(self, request: ChunkRequest) -> EncodeDone:
        self.chunk_requests.append(request)
        if self.mismatch and not self.plans[-1].whole:
            raise ApplicationError("2 of 3 frames", type=CHUNK_MISMATCH, non_retryable=True)
        while not self.hang.is_set():
            activity.heartbeat()
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                if not self.ignores_cancel:
                    raise
                break  # it was as good as done
        return EncodeDone(key=f"chunk-{request.number}", frames=10, reused=False, stats=Stats())

    @activity.defn(name=ENCODE_AUDIO.name)
    async def encode_audio(self, request: AudioRequest) -> EncodeDone:
        return EncodeDone(key="audio", frames=0, reused=False, stats=Stats())

    @activity.defn(name=ASSEMBLE.name)
    async def assemble(self, request: AssembleRequest) -> Published:
        self.assembled.append(request)
        return not_published(request.output)

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        self.records.append(record)
        return Nothing()

    def steps(self) -> list[Callable[..., Any]]:
        return [
            *(self.admit, self.plan, self.analyse_chunk, self.encode_chunk, self.encode_audio),
            *(self.assemble, self.conclude, self.find_borders, self.find_chapters),
        ]


@pytest.fixture
async def pretend(client: Client) -> AsyncIterator[Pretend]:
    steps = Pretend()
    workers = [
        Worker(
            client,
            task_queue="longtake",
            workflows=[TranscodeWorkflow],
            workflow_failure_exception_types=[ValidationError, LongtakeError],
        ),
        *(Worker(client, task_queue=f"longtake-{q}", activities=steps.steps()) for q in ("io",)),
        Worker(
            client,
            task_queue="longtake-cpu",
            activities=steps.steps(),
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        ),
    ]
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    yield steps
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*tasks)


async def begin(client: Client, job: dict[str, Any] | None = None) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        "Transcode", job or JOB, id=f"job-{uuid.uuid4()}", task_queue="longtake"
    )


async def until(claim: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not claim():  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0.05)


async def failure(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def test_plain_json_becomes_a_result(client: Client, pretend: Pretend) -> None:
    result = JobResult.model_validate(await (await begin(client)).result())
    assert result.state == "succeeded"
    assert result.stats.chunks == 3
    (request,) = pretend.assembled
    assert request.chunk_keys == ("chunk-0", "chunk-1", "chunk-2")
    assert pretend.records[-1].summary.state == "succeeded"


async def test_borders_are_looked_for_once_and_only_when_asked(
    client: Client, pretend: Pretend
) -> None:
    await (await begin(client)).result()
    assert pretend.looked == 0
    pretend.mismatch = True
    await (await begin(client, JOB | {"video": {"crop": "auto"}})).result()
    assert pretend.looked == 1
    assert [plan.crop for plan in pretend.plans[1:]] == ["320:132:0:24"] * 2


@pytest.mark.parametrize(("found", "key"), [(3, "chapters"), (1, None)])
async def test_chapters_are_found_beside_the_encode_once_and_only_when_asked(
    client: Client, pretend: Pretend, found: int, key: str | None
) -> None:
    await (await begin(client)).result()
    assert pretend.breaks == []
    pretend.mismatch, pretend.chapters = True, found
    asked = JOB | {"chapters": {"by": "black", "shortest_s": 5}, "start": 1}
    result = JobResult.model_validate(await (await begin(client, asked)).result())
    (request,) = pretend.breaks
    assert request.breaks == Breaks(by="black", shortest_s=Fraction(5))
    assert request.start == 1
    assert [each.chapters_key for each in pretend.assembled] == [None, key]
    assert result.decisions["chapters"].startswith("3 found" if key else "none")
    assert result.stats.cpu_s == 2


async def test_a_cancel_ends_the_search_for_chapters(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client, JOB | {"chapters": "detect"})
    await until(lambda: pretend.breaks)
    await handle.signal("cancel", "no")
    error = await asyncio.wait_for(failure(handle), WAIT_S)
    assert error.type == "JobCanceled"
    assert pretend.assembled == []


async def test_chunks_that_do_not_hold_are_planned_whole(client: Client, pretend: Pretend) -> None:
    pretend.mismatch = True
    result = JobResult.model_validate(await (await begin(client)).result())
    assert [plan.whole for plan in pretend.plans] == [False, True]
    assert pretend.assembled[-1].chunk_keys == ("chunk-0",)
    assert "one" in result.decisions["chunks"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"input": "/media/talk.mov"}, "output: Field required"),
        ({**JOB, "crff": 3}, "crff: Extra inputs are not permitted"),
        ({**JOB, "output": "/media/talk.xyz"}, "output ends in '.xyz': use one of "),
        ({**JOB, "priority": 9}, "priority: Input should be less than or equal to 5"),
    ],
    ids=["no output", "unknown field", "unknown container", "priority out of range"],
)
async def test_a_bad_job_fails_at_once_with_the_field(
    client: Client, pretend: Pretend, job: dict[str, Any], words: str
) -> None:
    error = await asyncio.wait_for(failure(await begin(client, job)), WAIT_S)
    assert error.type == "ValidationError"
    assert error.message.startswith(words)
    assert pretend.plans == []


async def test_the_cancel_signal_ends_the_job_and_notes_why(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await handle.signal("cancel", "changed our minds")
    error = await asyncio.wait_for(failure(handle), WAIT_S)
    assert error.type == "JobCanceled"
    assert "changed our minds" in error.message
    assert pretend.records[-1].summary.state == "canceled"
    assert pretend.assembled == []


@pytest.mark.parametrize("how", ["signal", "temporal"])
async def test_a_cancel_counts_though_the_running_step_ends_well(
    client: Client, pretend: Pretend, how: str
) -> None:
    pretend.hang.clear()
    pretend.ignores_cancel = True
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await (handle.signal("cancel", "no") if how == "signal" else handle.cancel(reason="no"))
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), WAIT_S)
    assert pretend.assembled == []
    assert pretend.records[-1].summary.state == "canceled"
    assert "no" in str(pretend.records[-1].error)


async def test_a_deadline_counts_though_the_running_step_ends_well(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    pretend.ignores_cancel = True
    soon = datetime.now(UTC) + timedelta(seconds=2)
    error = await asyncio.wait_for(
        failure(await begin(client, JOB | {"deadline": soon.isoformat()})), WAIT_S
    )
    assert error.type == "DeadlineExceeded"
    assert pretend.assembled == []


async def test_pause_and_resume_at_once_lose_nothing(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await handle.signal("pause")
    await handle.signal("resume")
    await asyncio.sleep(0.5)
    pretend.hang.set()
    assert (await asyncio.wait_for(handle.result(), WAIT_S))["state"] == "succeeded"


async def test_a_paused_job_can_be_canceled_at_once(client: Client, pretend: Pretend) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await asyncio.sleep(0.5)
    await handle.signal("pause")
    await handle.cancel(reason="no")
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), WAIT_S)
    assert pretend.records[-1].summary.state == "canceled"


async def test_a_start_without_a_job_fails_at_once(client: Client, pretend: Pretend) -> None:
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        "Transcode", id=f"job-{uuid.uuid4()}", task_queue="longtake"
    )
    error = await asyncio.wait_for(failure(handle), WAIT_S)
    assert error.type == "InvalidJob"


async def test_a_paused_job_starts_nothing_until_it_is_resumed(
    client: Client, pretend: Pretend
) -> None:
    pretend.hang.clear()
    handle = await begin(client)
    await until(lambda: pretend.plans)
    await handle.signal("pause")
    pretend.hang.set()
    progress = await handle.query("progress")
    assert progress["state"] == "paused"
    await asyncio.sleep(1)
    assert pretend.assembled == []
    await handle.signal("resume")
    assert (await asyncio.wait_for(handle.result(), WAIT_S))["state"] == "succeeded"


async def _outstanding(handle: WorkflowHandle[Any, Any]) -> int:
    return len((await handle.describe()).raw_description.pending_activities)


async def test_no_more_steps_are_outstanding_than_the_window(
    client: Client, pretend: Pretend
) -> None:
    pretend.chunks = WINDOW + 50
    pretend.hang.clear()
    handle = await begin(client)
    async with asyncio.timeout(WAIT_S):
        while await _outstanding(handle) < WINDOW:  # noqa: ASYNC110 - the server's own state
            await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    # One whose heartbeat came too late on a busy machine is between two attempts.
    assert await _outstanding(handle) <= WINDOW
    pretend.hang.set()
    result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert result["stats"]["chunks"] == WINDOW + 50


async def test_a_bit_rate_is_shared_by_what_the_first_passes_found(
    client: Client, pretend: Pretend
) -> None:
    pretend.chunks, pretend.target_bytes = 3, 6_000
    handle = await begin(client)
    await asyncio.wait_for(handle.result(), WAIT_S)
    asked = {r.number: (r.analysis_key, r.target_bytes) for r in pretend.chunk_requests}
    assert asked == {n: (f"analysis-{n}", 1_000 * (n + 1)) for n in range(3)}
    progress = await handle.query("progress")
    assert progress["fraction"] == 1.0


@pytest.mark.parametrize(
    ("video", "words"),
    [
        (VideoSettings(codec="vp9"), "do not encode vp9, only h264, hevc, av1"),
        (VideoSettings(codec="hevc", crf=0), "nothing lossless"),
    ],
)
async def test_what_no_gpu_encodes_is_encoded_on_the_cpu_and_said_so(
    client: Client, pretend: Pretend, video: VideoSettings, words: str
) -> None:
    pretend.video = video
    handle = await begin(client, JOB | {"gpu": "prefer"})
    result = await asyncio.wait_for(handle.result(), WAIT_S)
    assert words in result["decisions"]["gpu"]
    assert not pretend.plans[-1].gpu
