"""Jobs are started, and signals sent, by hand, too: with too few arguments, or too many.

The call would raise TypeError, which ends the workflow's task and not the workflow: it would be
tried again for ever, and the job neither go on nor be cancelled.
"""

from __future__ import annotations

import inspect
from typing import Any

from temporalio import workflow
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from longtake.errors import InvalidJob
from workflows.control import ERROR


class UnfitInput(Interceptor):
    """Fails jobs that are started with other than one argument, and passes over signals that their
    handlers cannot take, with a line in the log."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        """Wrap the workflow."""
        return _Checked


class _Checked(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        if len(input.args) != 1:
            workflow.upsert_search_attributes([ERROR.value_set(InvalidJob.__name__)])
            raise InvalidJob(
                f"{workflow.info().workflow_type} takes one argument, the job as JSON; "
                f"{len(input.args)} were given"
            )
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
