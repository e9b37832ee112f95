"""Objects in, jobs started: one for each version of an object, however often it is told."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from longtake.contracts.ingest import Ingest, Ingested
from longtake.errors import LongtakeError, ServiceUnreachable
from longtake.ingest.events import Arrived
from longtake.ingest.rules import job_for, rule_for
from longtake.paths import local_path

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.handle import JobHandle
    from longtake.kinds import AnyJob


class Feed:
    """Starts the jobs of objects by the rules.

    A job's id is made of the object's address, and a finished job knows the version that it read:
    the same event again finds it done, and an older one that comes late as well.
    """

    def __init__(self, longtake: Longtake, rules: Ingest) -> None:
        self._longtake = longtake
        self._rules = rules

    async def offer(self, arrived: Arrived) -> Ingested:
        """Start an object's job. Raises ServiceUnreachable, and what trying again helps against;
        other errors are told."""
        rule = rule_for(self._rules, arrived)
        if rule is None:
            return Ingested(uri=arrived.uri, found="no rule")
        told = Ingested(uri=arrived.uri, found="started", rule=rule.name)
        try:
            job = job_for(rule, arrived)
            await asyncio.to_thread(_make_folders, job)
            handle = await self._longtake.start(job)
            told = told.model_copy(update={"job_id": handle.id})
            if handle.found == "new":
                return told
            found = "later" if await self._is_behind(handle, arrived) else handle.found
        except ServiceUnreachable:
            raise
        except LongtakeError as error:
            if error.retry:
                raise
            return told.model_copy(update={"found": "failed", "error": str(error)})
        return told.model_copy(update={"found": found})

    async def _is_behind(self, handle: JobHandle, arrived: Arrived) -> bool:
        """Was the object replaced after its running job began, which may have read the old one?"""
        if handle.found != "running" or arrived.at is None:
            return False
        started_at = (await handle.status()).started_at
        return started_at is not None and arrived.at > datetime.fromisoformat(started_at)


def _make_folders(job: AnyJob) -> None:
    """Folders of this machine for what the job writes: objects below a prefix have none yet."""
    for target in job.targets:
        if (path := local_path(target)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
