"""The workflow `Preview`: plan, make the parts side by side, publish them into a folder."""

from __future__ import annotations

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.control import JobWorkflow
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.preview import Preview
    from longtake.contracts.result import JobResult
    from longtake.contracts.steps.common import PUBLISH, EncodeDone, Published, PublishRequest
    from longtake.contracts.steps.preview import (
        MAKE_PART,
        PLAN_PREVIEW,
        PartRequest,
        PreviewSummary,
    )


@workflow.defn(name="Preview")
class PreviewWorkflow(JobWorkflow):
    """One file in, a folder of pictures and a waveform out."""

    @workflow.run
    async def run(self, job: Preview) -> JobResult:
        """Run the job to its end."""
        return await self.run_job(job, "preview", self._preview(job))

    async def _preview(self, job: Preview) -> JobResult:
        self.enter("probing")
        plan = await self.step(PLAN_PREVIEW, job, f"look at {job.input}, plan the parts")
        self.total = self.frames_total = len(plan.parts)
        self.enter("encoding")
        made = await self._make(plan)
        self.enter("publishing")
        published = await self._publish(job, plan, made)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=published.outputs,
            sources=read(plan.source),
            stats=total(plan.media_s, plan.source.bytes, made, [], published),
            decisions=plan.decisions,
            warnings=(*plan.warnings, *damage(made), *published.warnings),
        )

    async def _make(self, plan: PreviewSummary) -> list[EncodeDone]:
        return await side_by_side(self._part(plan, n) for n in range(len(plan.parts)))

    async def _part(self, plan: PreviewSummary, number: int) -> EncodeDone:
        request = PartRequest(
            source=plan.source,
            plan_key=plan.plan_key,
            index_key=plan.index_key,
            engine=plan.engine,
            number=number,
        )
        done = await self.step(MAKE_PART, request, f"make {plan.parts[number].role}")
        self.finished(1)
        return done

    async def _publish(
        self, job: Preview, plan: PreviewSummary, made: list[EncodeDone]
    ) -> Published:
        pieces = [
            part.model_copy(update={"key": done.key})
            for part, done in zip(plan.parts, made, strict=True)
        ]
        # The captions name the sheets, so they come last.
        pieces += [plan.captions] if plan.captions else []
        self.staged = tuple(uri for piece in pieces for uri in piece.uris)
        return await self.step(
            PUBLISH,
            PublishRequest(
                job_id=workflow.info().workflow_id,
                source=plan.source,
                pieces=tuple(pieces),
                overwrite=job.overwrite,
                lease=job.output,
                folder=job.output,
            ),
            f"publish into {job.output}",
            ends_the_job=True,
        )
