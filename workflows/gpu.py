"""CPU or GPU, decided once and recorded; never a silent fallback."""

from __future__ import annotations

from temporalio import workflow

from workflows.control import JobWorkflow

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.job import Job
    from longtake.contracts.steps.common import COUNT_WORKERS, WorkersAsked


async def choose_gpu(
    run: JobWorkflow, job: Job, done: str, why_not: str | None = None
) -> tuple[bool, dict[str, str]]:
    """Whether a GPU does the work, and why. `done` is what happens to it, such as `encoded`;
    `why_not`: what a GPU cannot do of it."""
    if job.gpu == "never":
        return False, {}
    if job.gpu == "require":
        return True, {"gpu": "required by the job"}
    if why_not is not None:
        return False, {"gpu": f"preferred, but {why_not}: {done} on the CPU"}
    asked = WorkersAsked(role="gpu", group=job.group)
    workers = await run.step(COUNT_WORKERS, asked, "look for GPU workers")
    if workers.alive:
        return True, {"gpu": f"preferred, and {workers.alive} GPU workers are alive"}
    return False, {"gpu": f"preferred, but no GPU worker is alive: {done} on the CPU"}
