"""Jobs are started, and signals sent, by hand, too: with JSON that is no job, bytes that are no
JSON, too few arguments, or too many.

The call would raise, which may end the workflow's task and not the workflow: it would be tried
again for ever, and the job neither go on nor be cancelled. And where it ends the workflow, that is
before any code of ours runs, so that nobody would find the job by its error.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self, get_args

from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import SerializationContext, WorkflowSerializationContext
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from longtake.contracts.base import Contract
from longtake.contracts.job import Job
from longtake.errors import InvalidJob
from longtake.presets import describe
from workflows.control import ERROR


@dataclass(frozen=True)
class Unfit:
    """Stands for what a workflow was started with and is no job: why it is none."""

    words: str


class JobPayloads(PydanticPayloadConverter):
    """Reads payloads; to a workflow, it gives `Unfit` for a job that cannot be read."""

    _in_workflow = False

    def with_context(self, context: SerializationContext) -> Self:
        """The same for a workflow, or for others."""
        reader = copy(self)  # it shares what was learnt of types
        reader._in_workflow = isinstance(context, WorkflowSerializationContext)
        return reader

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """What the payloads hold. Raises as any converter does for what is no job's start."""
        job = _job_among(type_hints or []) if self._in_workflow else None
        if job is None:
            return super().from_payloads(payloads, type_hints)
        try:
            (value,) = super().from_payloads(payloads, type_hints)
        except ValidationError:
            return [Unfit(_why_not(job, payloads[0]))]
        except (KeyError, RuntimeError) as error:
            return [Unfit(f"it cannot be read: {error.args[0]}")]
        # What is no JSON is read as its own encoding says, whatever is asked for.
        return [value if isinstance(value, Contract) else Unfit("it is no JSON object")]


def _job_among(hints: Sequence[Any]) -> type[Job] | None:
    """The job that a workflow is started with, where these are the types of its arguments."""
    types = get_args(hints[0]) or (hints[0],) if len(hints) == 1 else ()
    return next((each for each in types if isinstance(each, type) and issubclass(each, Job)), None)


def _why_not(job: type[Job], payload: Payload) -> str:
    """What the job lacks. What a batch hands to its next run may stand in its place, too, but
    nobody who starts a job means that."""
    try:
        job.model_validate_json(payload.data)
    except ValidationError as error:
        return describe(error)
    return f"it is no {job.__name__} of this version"


class UnfitInput(Interceptor):
    """Fails jobs that are started with other than one argument, or with one that is no job, and
    passes over signals that their handlers cannot take, with a line in the log."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        """Wrap the workflow."""
        return _Checked


class _Checked(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        if len(input.args) != 1:
            raise _refusal(
                f"{workflow.info().workflow_type} takes one argument, the job as JSON; "
                f"{len(input.args)} were given"
            )
        if isinstance(input.args[0], Unfit):
            raise _refusal(input.args[0].words)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        # The handler that Temporal gives takes anything: the method says what it wants.
        method = getattr(workflow.instance(), input.signal, None)
        if callable(method):
            try:
                inspect.signature(method).bind(*input.args)
            except TypeError as error:
                workflow.logger.warning("signal %s is passed over: %s", input.signal, error)
                return
        await super().handle_signal(input)


def _refusal(words: str) -> InvalidJob:
    """What a job fails by, and is found by, that never began."""
    workflow.upsert_search_attributes([ERROR.value_set(InvalidJob.__name__)])
    return InvalidJob(words)
