"""Every error of Longtake: what went wrong, whether a retry helps, and who must act.

LongtakeError
├── UserError                the job or its files must change; a retry gives the same answer
│   ├── InvalidJob           400 · exit 2   settings that contradict each other, unknown preset
│   ├── InputNotFound        404 · exit 2   nothing lies at the input's address
│   ├── InputForbidden       403 · exit 2   it lies there, but may not be read
│   ├── OutputConflict       409 · exit 2   the output is taken, or cannot be written
│   ├── InputUnsupported     422 · exit 1   not media, or of a kind that is not supported
│   ├── InputCorrupt         422 · exit 1   media, but damaged or incomplete
│   └── InputTooLarge        413 · exit 1   beyond the limits of pixels, streams or duration
├── OperatorError            the installation must change, or somebody must decide
│   ├── CapabilityMissing    503 · exit 1   no worker or tool can do this; the job waits
│   ├── Poisoned             500 · exit 1   a step killed its process again and again
│   └── DeadlineExceeded     504 · exit 1   the job's deadline passed
├── TransientError           nobody must act: the step is retried, here or elsewhere
│   ├── StorageUnavailable   503
│   ├── ResourceExhausted    503            no room, no memory; final after a few tries
│   ├── ProcessStalled       500            a child process made no progress and was ended
│   └── ProcessKilled        500            a child process was killed from outside
├── ItemsFailed              422 · exit 1   some items of a batch failed; its report names them
├── ServiceUnreachable       503 · exit 3   the Temporal service or the embedded one
├── JobNotFound              404 · exit 2   no job of this id
└── JobCanceled              409 · exit 1   the job was cancelled before it was done

A message says what happened, where, why, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Actor = Literal["user", "operator", "nobody"]


class LongtakeError(Exception):
    """Root of the tree. `retry`: does trying again help? `actor`: who must act?"""

    retry: ClassVar[bool] = False
    actor: ClassVar[Actor] = "user"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    job_id: str | None = None
    """The job that failed so, where one is known."""

    @property
    def message(self) -> str:
        """The message alone, without the class name."""
        return str(self)


class UserError(LongtakeError):
    """The job or its files must change."""

    http_status = 400
    exit_code = 2


class InvalidJob(UserError):
    """The job cannot be done as it is written."""


class InputNotFound(UserError):
    """Nothing lies at the input's address."""

    http_status = 404


class InputForbidden(UserError):
    """The input exists but may not be read."""

    http_status = 403


class OutputConflict(UserError):
    """The output is taken by something else, or its place cannot be written."""

    http_status = 409


class InputUnsupported(UserError):
    """The input is not media, or media of a kind that is not supported."""

    http_status = 422
    exit_code = 1


class InputCorrupt(UserError):
    """The input is media, but damaged or incomplete."""

    http_status = 422
    exit_code = 1


class InputTooLarge(UserError):
    """The input exceeds a limit on pixels, streams or duration."""

    http_status = 413
    exit_code = 1


class OperatorError(LongtakeError):
    """The installation must change, or an operator must decide."""

    actor = "operator"


class CapabilityMissing(OperatorError):
    """No worker or tool here can do what was asked; the job waits for one that can."""

    retry = True
    http_status = 503


class Poisoned(OperatorError):
    """A step killed its process three times; it is not tried again on its own."""


class DeadlineExceeded(OperatorError):
    """The job's deadline passed before it was done."""

    http_status = 504


class TransientError(LongtakeError):
    """Trying again helps; nobody has to act."""

    retry = True
    actor = "nobody"


class StorageUnavailable(TransientError):
    """A storage did not answer as it should."""

    http_status = 503


class ResourceExhausted(TransientError):
    """Disk or memory ran out on this host."""

    http_status = 503


class ProcessStalled(TransientError):
    """A child process made no progress and was ended."""


class ProcessKilled(TransientError):
    """A child process was killed from outside or crashed."""


class ItemsFailed(LongtakeError):
    """Some items of a batch failed; the others are done, and its report tells of each."""

    http_status = 422


class ServiceUnreachable(LongtakeError):
    """Neither a Temporal service nor the embedded one could be reached."""

    actor = "operator"
    http_status = 503
    exit_code = 3


class JobNotFound(LongtakeError):
    """There is no job of this id."""

    http_status = 404
    exit_code = 2


class JobCanceled(LongtakeError):
    """The job was cancelled before it was done."""

    http_status = 409


def error_class(name: str) -> type[LongtakeError]:
    """The class called `name`, as it stands in a result or a Temporal failure's type.

    An unknown name (a failure of Temporal itself, or of a newer version) is a LongtakeError.
    """
    pending: list[type[LongtakeError]] = [LongtakeError]
    while pending:
        candidate = pending.pop()
        if candidate.__name__ == name:
            return candidate
        pending.extend(candidate.__subclasses__())
    return LongtakeError
