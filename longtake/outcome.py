"""How a job ended: from Temporal's failures to Longtake's results and errors."""

from __future__ import annotations

from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    TerminatedError,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from longtake.contracts.result import JobError, JobResult, Output, State
from longtake.errors import LongtakeError, error_class
from longtake.refusals import service_errors
from longtake.runs import why_canceled


async def outcome(client: Client, job_id: str, run_id: str | None = None) -> JobResult:
    """Wait for a run's end and say how it ended. Raises JobNotFound and ServiceUnreachable."""
    handle = client.get_workflow_handle(job_id, run_id=run_id)
    try:
        with service_errors():
            return JobResult.model_validate(await handle.result())
    except WorkflowFailureError as failure:
        error = error_of(failure.cause)
        outputs = _published(failure.cause)
        if isinstance(failure.cause, CancelledError):
            reason = await why_canceled(client, job_id, run_id)
            error = JobError(type="JobCanceled", message=_canceled(reason))
        state: State = "canceled" if error.type == "JobCanceled" else "failed"
        return JobResult(job_id=job_id, state=state, outputs=outputs, error=error)
    except ValidationError as error:
        raise LongtakeError(
            f"job {job_id} gave a result that this version of Longtake cannot read: "
            "client and workers should be of one version"
        ) from error


def _published(failure: BaseException) -> tuple[Output, ...]:
    """What a job that failed has published all the same, such as a batch's report."""
    told = failure.details if isinstance(failure, ApplicationError) else ()
    return JobResult.model_validate(told[0]).outputs if told else ()


def error_of(failure: BaseException) -> JobError:
    """The error a failure stands for: the first of ours down the chain of causes."""
    cause: BaseException | None = failure
    deepest = failure
    while cause is not None:
        deepest = cause
        if known := _known(cause):
            return known
        cause = cause.cause if isinstance(cause, FailureError) else cause.__cause__
    kind = deepest.type if isinstance(deepest, ApplicationError) else None
    words = getattr(deepest, "message", None) or str(deepest)
    return JobError(type=LongtakeError.__name__, message=f"{kind}: {words}" if kind else words)


def raise_for(result: JobResult) -> JobResult:
    """The result of a job that succeeded; else raises the job's error, with its `job_id`."""
    if result.error is None:
        return result
    error = error_class(result.error.type)(result.error.message)
    error.job_id = result.job_id
    raise error


def _known(cause: BaseException) -> JobError | None:
    if isinstance(cause, ApplicationError):
        if cause.type == ValidationError.__name__:
            return JobError(type="InvalidJob", message=cause.message)
        if cause.type and issubclass(error_class(cause.type), LongtakeError):
            known = error_class(cause.type)
            if known.__name__ == cause.type:
                return JobError(type=cause.type, message=cause.message)
    if isinstance(cause, CancelledError):
        return JobError(type="JobCanceled", message=_canceled(""))
    if isinstance(cause, TerminatedError):
        words = f"the job was terminated in Temporal ({cause.message}); `longtake retry` goes on"
        return JobError(type="JobCanceled", message=words)
    if isinstance(cause, TemporalTimeoutError) and cause.cause is None:
        return JobError(type="DeadlineExceeded", message=cause.message)
    return None


def _canceled(reason: str) -> str:
    return f"the job was cancelled: {reason}" if reason else "the job was cancelled"
