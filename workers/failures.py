"""How a failure is told to Temporal, and by it to whoever asks."""

from __future__ import annotations

from pydantic import ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from longtake.presets import describe

MOST_BYTES = 3_500
"""Of a step's failure Temporal keeps at most 4 kB while the step waits for another try
(`limit.mutableStateActivityFailureSize.error`), and says no more of a larger one than that."""


class PlainFailures(DefaultFailureConverter):
    """Tells of JSON that is no job as `longtake` does: the field, and what would be valid.

    Pydantic's own words would name the types of our code instead. And keeps failures small: their
    tracebacks stand in the worker's log.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Write `exception` into `failure`."""
        if isinstance(exception, ValidationError):
            told = ApplicationError(describe(exception), type=type(exception).__name__)
            exception = told.with_traceback(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)
        _shorten(failure)


def _shorten(failure: Failure) -> None:
    """Leave out tracebacks, the outermost first, then causes, until what is left is kept."""
    each = failure
    while failure.ByteSize() > MOST_BYTES:
        each.stack_trace = ""
        if not each.HasField("cause"):
            break
        each = each.cause
    if failure.ByteSize() > MOST_BYTES:
        failure.ClearField("cause")
    if failure.ByteSize() > MOST_BYTES:
        failure.message = failure.message.encode()[:MOST_BYTES].decode(errors="ignore")
