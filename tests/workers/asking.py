"""A workflow that asks a worker who it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

from tests.patience import WAIT_S

with workflow.unsafe.imports_passed_through():
    from longtake.fleet import DESCRIBE


@workflow.defn
class AsksAWorker:
    @workflow.run
    async def run(self, queue: str) -> dict[str, Any]:
        workflow.logger.info("asking")
        answer: dict[str, Any] = await workflow.execute_activity(
            DESCRIBE, task_queue=queue, schedule_to_close_timeout=timedelta(seconds=WAIT_S)
        )
        return answer
