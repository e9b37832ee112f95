"""The workflow `Command`: check the arguments, run them once, verify and publish."""

from __future__ import annotations

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.control import JobWorkflow

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.command import Command
    from longtake.contracts.result import JobResult
    from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND
    from longtake.contracts.steps.common import PUBLISH, Piece, PublishRequest


@workflow.defn(name="Command")
class CommandWorkflow(JobWorkflow):
    """One file in, one file out, in one step of encoding."""

    @workflow.run
    async def run(self, job: Command) -> JobResult:
        """Run the job to its end."""
        return await self.run_job(job, "command", self._command(job))

    async def _command(self, job: Command) -> JobResult:
        self.enter("probing")
        admitted = await self.step(ADMIT_COMMAND, job, f"check the arguments, look at {job.input}")
        self.total = self.frames_total = 1
        self.enter("encoding")
        done = await self.step(RUN_COMMAND, admitted, "run FFmpeg")
        self.finished(1)
        self.enter("publishing")
        published = await self.step(
            PUBLISH,
            PublishRequest(
                job_id=workflow.info().workflow_id,
                source=admitted.source,
                pieces=(Piece(key=done.key, uris=(job.output,), role="main"),),
                overwrite=job.overwrite,
                lease=job.output,
                verify_media=True,
            ),
            f"verify and publish {job.output}",
            ends_the_job=True,
        )
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=published.outputs,
            sources=read(admitted.source),
            stats=total(admitted.media_s, admitted.source.bytes, [done], [], published),
            warnings=(*admitted.warnings, *damage([done]), *published.warnings),
        )
