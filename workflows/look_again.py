"""The workflow `LookAgain`: is what a finished job read and made still what it was?

No job: a client asks so what it cannot see itself, such as an object in a bucket.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority

from workflows.control import HEARTBEAT, RETRY

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.steps.common import (
        LOOK_AGAIN,
        LOOK_AGAIN_WORKFLOW,
        PlacesAsked,
        PlacesChanged,
    )
    from longtake.queues import task_queue

LONGEST_LOOK = timedelta(seconds=45)


@workflow.defn(name=LOOK_AGAIN_WORKFLOW)
class LookAgainWorkflow:
    """One look of an io worker."""

    @workflow.run
    async def run(self, asked: PlacesAsked) -> PlacesChanged:
        """Ask an io worker; somebody waits at a prompt, so before all jobs."""
        changed: PlacesChanged = await workflow.execute_activity(
            LOOK_AGAIN.name,
            asked,
            result_type=PlacesChanged,
            task_queue=task_queue(LOOK_AGAIN.role),
            schedule_to_close_timeout=LONGEST_LOOK,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=Priority(priority_key=1),
            summary="look whether sources or outputs changed",
        )
        return changed
