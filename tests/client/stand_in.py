"""Keeps the promises of the Transcode workflow, and encodes nothing.

What it does is written in the job's labels: `fail` (a class of longtake.errors), `hold` (runs
until it is cancelled), `encode` (a chunk that heartbeats until it is cancelled).
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

ERROR = SearchAttributeKey.for_keyword("LongtakeError")
STAGE = SearchAttributeKey.for_keyword("LongtakeStage")


@workflow.defn(name="Transcode", sandboxed=False)
class StandIn:
    def __init__(self) -> None:
        self._stage = "probing"
        self._paused = False
        self._canceled: str | None = None

    @workflow.run
    async def run(self, job: dict[str, Any]) -> dict[str, Any]:
        does = job.get("labels", {})
        self._turn("encoding")
        if "fail" in does:
            workflow.upsert_search_attributes([ERROR.value_set(does["fail"])])
            raise ApplicationError(f"it ended as {does['fail']}", type=does["fail"])
        if "encode" in does:
            self._encode()
        if "hold" in does or "encode" in does:
            await workflow.wait_condition(lambda: self._canceled is not None)
            self._turn("canceled")
            raise ApplicationError(str(self._canceled), type="JobCanceled")
        return _publish(job)

    @workflow.query
    def progress(self) -> dict[str, Any]:
        return {
            "job_id": workflow.info().workflow_id,
            "state": "paused" if self._paused else "running",
            "stage": self._stage,
            "fraction": 0.5,
            "chunks_done": 2,
            "chunks_total": 4,
        }

    @workflow.signal
    def cancel(self, reason: str) -> None:
        self._canceled = reason

    @workflow.signal
    def pause(self) -> None:
        self._paused = True

    @workflow.signal
    def resume(self) -> None:
        self._paused = False

    def _turn(self, stage: str) -> None:
        self._stage = stage
        workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def _encode(self) -> None:
        workflow.start_activity(
            "encode_chunk",
            task_queue="longtake-cpu",
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=2),
        )


@activity.defn(name="encode_chunk")
async def encode_chunk() -> None:
    while True:
        nothing_sensible = float("nan")
        activity.heartbeat(
            {"stage": "encoding", "fraction": 0.5, "fps": 40.0, "speed": nothing_sensible}
        )
        await asyncio.sleep(0.1)


def _publish(job: dict[str, Any]) -> dict[str, Any]:
    path = Path(job["output"])
    path.write_bytes(b"encoded " + Path(job["input"]).read_bytes())
    output = {
        "uri": str(path),
        "role": "video",
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return {
        "job_id": workflow.info().workflow_id,
        "state": "succeeded",
        "outputs": [output],
        "warnings": ["this is no video"],
    }
