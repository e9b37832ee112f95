"""A job that has nothing to do but to publish a tree that is finished."""

from __future__ import annotations

from temporalio import workflow

from workflows.control import JobWorkflow

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.preview import Preview
    from longtake.contracts.result import JobResult
    from longtake.contracts.steps.common import Source
    from longtake.contracts.steps.tree import PUBLISH_TREE, PublishTreeRequest


@workflow.defn
class PublishesATree(JobWorkflow):
    @workflow.run
    async def run(self, job: Preview, tree_key: str, source: Source) -> JobResult:
        return await self.run_job(job, "preview", self._publish(job, tree_key, source))

    async def _publish(self, job: Preview, tree_key: str, source: Source) -> JobResult:
        self.enter("publishing")
        request = PublishTreeRequest(
            job_id=workflow.info().workflow_id,
            sources=(source,),
            tree_key=tree_key,
            output=job.output,
            overwrite=job.overwrite,
        )
        published = await self.step(PUBLISH_TREE, request, "publish", ends_the_job=True)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=published.outputs,
            stats=published.stats,
        )
