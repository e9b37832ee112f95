"""What a log line of a job says about it: job, tenant, activity or workflow, attempt.

Activity lines get it from an interceptor, through context variables, so that engine code that
knows nothing of Temporal logs it too. Workflow code is sandboxed and logs with
`workflow.logger`; `job_fields` adds the same keys there.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from structlog.typing import EventDict
from temporalio import activity, workflow
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

log = structlog.get_logger("longtake.activity")

# Temporal's own way to say it: a tuple at the end of each message. We have fields.
activity.logger.activity_info_on_message = False
workflow.logger.workflow_info_on_message = False


class JobLog(Interceptor):
    """Binds a job's fields around each of its activities and logs how they ended."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap the activity."""
        return _LoggedActivity(next)


class _LoggedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        with structlog.contextvars.bound_contextvars(**_activity_fields(activity.info())):
            started = time.monotonic()
            log.debug("started")
            result = await super().execute_activity(input)
            log.info("finished", seconds=round(time.monotonic() - started, 3))
            return result


def job_fields(logger: object, method: str, event: EventDict) -> EventDict:
    """Add a job's fields where the interceptor cannot: Temporal's lines and workflow code's."""
    if workflow.in_workflow():
        info = workflow.info()
        return {
            "job": info.workflow_id,
            "tenant": info.priority.fairness_key,
            "workflow": info.workflow_type,
            "attempt": info.attempt,
            **event,
        }
    if activity.in_activity() and "activity" not in event:
        return {**_activity_fields(activity.info()), **event}
    return event


def _activity_fields(info: activity.Info) -> dict[str, Any]:
    return {
        "job": info.workflow_id,
        "tenant": info.priority.fairness_key,
        "activity": info.activity_type,
        "attempt": info.attempt,
    }
