"""Who is there to do the work?"""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities.running import Beat, implements
from longtake.contracts.steps.common import COUNT_WORKERS, WorkersAlive, WorkersAsked
from longtake.fleet import live_workers
from longtake.queues import task_queue


@implements(COUNT_WORKERS, stage="planning")
async def count_workers(asked: WorkersAsked, beat: Beat) -> WorkersAlive:
    """Count the workers of a role that gave a sign of life lately."""
    workers = await live_workers(activity.client(), task_queue(asked.role, asked.group))
    return WorkersAlive(alive=len(workers), asked_at=datetime.now(UTC))
