"""How a workflow's failure is told to whoever started it."""

from __future__ import annotations

from pydantic import ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from longtake.presets import describe


class PlainFailures(DefaultFailureConverter):
    """Tells of JSON that is no job as `longtake` does: the field, and what would be valid.

    Pydantic's own words would name the types of our code instead.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Write `exception` into `failure`."""
        if isinstance(exception, ValidationError):
            told = ApplicationError(describe(exception), type=type(exception).__name__)
            exception = told.with_traceback(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)
