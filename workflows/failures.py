"""What Temporal tells of failures, in Longtake's words, and the other way round."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    RetryState,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.result import JobError, JobResult
    from longtake.contracts.steps.transcode import CHUNK_MISMATCH


def is_mismatch(error: ActivityError) -> bool:
    """Did a chunk not hold its planned frames?"""
    cause = error.cause
    return isinstance(cause, ApplicationError) and cause.type == CHUNK_MISMATCH


def failure(result: JobResult) -> ApplicationError:
    """What a workflow ends with whose job did not succeed; with the result, where that says more
    than the error."""
    assert result.error is not None
    more = [result] if result.outputs else []
    error = result.error
    return ApplicationError(error.message, *more, type=error.type, non_retryable=True)


def job_error(error: ActivityError | ApplicationError | ChildWorkflowError) -> JobError:
    """What a step, or a child, failed by."""
    cause = error if isinstance(error, ApplicationError) else error.cause
    if isinstance(cause, ApplicationError):
        return JobError(type=cause.type or "LongtakeError", message=cause.message)
    return JobError(type="LongtakeError", message=f"a step did not end: {cause or error}")


def was_stopped(error: ActivityError) -> bool:
    """Did a step end for it was told to? One whose worker died before it could answer ends by its
    missing heartbeats, and Temporal tries no step again that is to stop."""
    if is_cancelled_exception(error):
        return True
    unanswered = error.retry_state == RetryState.CANCEL_REQUESTED
    return unanswered and workflow.patched("a pause outlives the worker that it was told")
