"""A workflow of one's own that has Longtake do the media work: `publish_talk.py IN OUT`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.worker import Worker

QUEUE = "talks"


@activity.defn
async def announce(uri: str) -> str:
    """What comes behind the media work: tell a site, write a row, send a mail."""
    return f"the talk is out: {uri}"


@workflow.defn
class PublishTalk:
    """Transcode a talk, then announce it."""

    @workflow.run
    async def run(self, source: str, target: str) -> str:
        """Give back the announcement."""
        result: dict[str, Any] = await workflow.execute_child_workflow(
            "Transcode",
            {"input": source, "output": target, "preset": "web-480p", "labels": {"app": "talks"}},
            id=f"{workflow.info().workflow_id}-transcode",
            task_queue="longtake",
            # A cancel must not leave half an output: wait for Longtake to clean up.
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        )
        return await workflow.execute_activity(
            announce, result["outputs"][0]["uri"], start_to_close_timeout=timedelta(minutes=1)
        )


async def main(source: str, target: str) -> int:
    """Run the worker, and one workflow on it."""
    address = os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233")
    try:
        client = await Client.connect(address)
    except RuntimeError as error:
        print(f"not started: Temporal at {address} does not answer: {error}", file=sys.stderr)
        return 3
    async with Worker(client, task_queue=QUEUE, workflows=[PublishTalk], activities=[announce]):
        try:
            words = await client.execute_workflow(
                PublishTalk.run, args=[source, target], id="publish-talk", task_queue=QUEUE
            )
        except WorkflowFailureError as error:
            print(f"not published: {_why(error)}", file=sys.stderr)
            return 1
    print(words)
    return 0


def _why(error: BaseException) -> str:
    """The innermost cause: Longtake's own words."""
    while isinstance(error, WorkflowFailureError | ChildWorkflowError) and error.cause:
        error = error.cause
    return f"{error.type}: {error.message}" if isinstance(error, ApplicationError) else str(error)


if __name__ == "__main__":
    code = asyncio.run(main(*sys.argv[1:3]))
    sys.stdout.flush()
    os._exit(code)  # Temporal's core may hang a process that ends in the usual way
