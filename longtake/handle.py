"""A job that was started, in the client's hands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtake.contracts.pipeline import StepStatus
from longtake.contracts.result import JobResult, JobStatus, Progress
from longtake.starting import Found

if TYPE_CHECKING:
    from longtake.client import Longtake


@dataclass(frozen=True)
class JobHandle:
    """One job, and what can be done with it. See the methods of the same names of Longtake."""

    longtake: Longtake
    id: str
    found: Found = "new"
    """Whether `start` met the same job already running, or done."""

    async def status(self) -> JobStatus:
        """The job at this moment."""
        return await self.longtake.get(self.id)

    async def result(self) -> JobResult:
        """Wait for the end. Raises the job's error."""
        return await self.longtake.result(self.id)

    def progress(self) -> AsyncIterator[Progress]:
        """How far the job is, until it is over."""
        return self.longtake.progress(self.id)

    async def cancel(self, reason: str = "") -> None:
        """Ask the job to stop."""
        await self.longtake.cancel(self.id, reason)

    async def pause(self) -> None:
        """Stop running steps and start no new ones."""
        await self.longtake.pause(self.id)

    async def resume(self) -> None:
        """Go on after a pause."""
        await self.longtake.resume(self.id)

    async def set_priority(self, priority: int) -> None:
        """Give what is not yet started another priority."""
        await self.longtake.set_priority(self.id, priority)

    async def steps(self) -> tuple[StepStatus, ...]:
        """How each step of a pipeline stands."""
        return await self.longtake.steps(self.id)

    async def approve(self, step: str) -> None:
        """Let a step with `gate: approval` through."""
        await self.longtake.approve(self.id, step)

    async def retry(self) -> JobHandle:
        """Run it once more after it failed."""
        return await self.longtake.retry(self.id)
