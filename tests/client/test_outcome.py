from __future__ import annotations

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from longtake import InputCorrupt, JobResult
from longtake.contracts.result import JobError
from longtake.outcome import error_of, raise_for


def by_activity(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="w",
        activity_type="admit",
        activity_id="1",
        retry_state=None,
    )
    error.__cause__ = cause
    return error


TIMEOUT = TemporalTimeoutError(
    "it took too long", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[]
)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ApplicationError("gone", type="InputNotFound"), ("InputNotFound", "gone")),
        (by_activity(ApplicationError("cut", type="InputCorrupt")), ("InputCorrupt", "cut")),
        (ApplicationError("1 error", type="ValidationError"), ("InvalidJob", "1 error")),
        (ApplicationError("odd", type="KeyError"), ("LongtakeError", "KeyError: odd")),
        (ApplicationError("odd"), ("LongtakeError", "odd")),
        (CancelledError("x"), ("JobCanceled", "the job was cancelled")),
        (TIMEOUT, ("DeadlineExceeded", "it took too long")),
        (by_activity(ValueError("deep")), ("LongtakeError", "deep")),
    ],
)
def test_a_failure_is_told_in_our_words(failure: BaseException, error: tuple[str, str]) -> None:
    assert error_of(failure) == JobError(type=error[0], message=error[1])


def test_a_terminated_job_can_be_retried() -> None:
    told = error_of(TerminatedError("by hand"))
    assert told.type == "JobCanceled"
    assert "longtake retry" in told.message


def test_the_error_that_is_raised_knows_its_job() -> None:
    failed = JobResult(
        job_id="j", state="failed", error=JobError(type="InputCorrupt", message="cut off")
    )
    with pytest.raises(InputCorrupt, match="cut off") as raised:
        raise_for(failed)
    assert raised.value.job_id == "j"
