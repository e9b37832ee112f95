"""The steps of a Transcode that only pretend, and the workers that run them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from longtake.contracts import EncodeSettings, MediaFacts, Stats, Transcode
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
from workers.unfit_input import UnfitInput
from workflows.transcode import TranscodeWorkflow

JOB = {"input": "/media/talk.mov", "output": "/media/talk.mp4", "preset": "web-720p"}


class Pretend:
    """Steps that do nothing, remember what they were asked, and fail as they are told."""

    def __init__(self) -> None:
        self.chunks = 3
        self.mismatch = False
        self.ignores_cancel = False
        self.dies_of_cancel = False
        self.hang, self.concluding = asyncio.Event(), asyncio.Event()
        self.hang.set()
        self.concluding.set()
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
                if self.dies_of_cancel:
                    raise ApplicationError("no heartbeat came any more") from None
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
        await self.concluding.wait()
        return Nothing()

    def steps(self) -> list[Callable[..., Any]]:
        return [
            *(self.admit, self.plan, self.analyse_chunk, self.encode_chunk, self.encode_audio),
            *(self.assemble, self.conclude, self.find_borders, self.find_chapters),
        ]


def control(client: Client) -> Worker:
    """A worker of the workflow."""
    return Worker(
        client,
        task_queue="longtake",
        workflows=[TranscodeWorkflow],
        interceptors=[UnfitInput()],
        workflow_failure_exception_types=[ValidationError, LongtakeError],
    )


@contextlib.asynccontextmanager
async def pretending(client: Client) -> AsyncIterator[Pretend]:
    """Workers of every step, until the end of the block."""
    steps = Pretend()
    workers = [
        control(client),
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


async def outstanding(handle: WorkflowHandle[Any, Any]) -> int:
    return len((await handle.describe()).raw_description.pending_activities)
