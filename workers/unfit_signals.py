"""Signals are sent by hand, too: one with too few arguments, or too many, is passed over.

The call would raise TypeError, which ends the workflow's task and not the workflow: it would be
tried again for ever, and the job neither go on nor be cancelled.
"""

from __future__ import annotations

import inspect

from temporalio import workflow
from temporalio.worker import (
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


class UnfitSignals(Interceptor):
    """Passes over signals that their handlers cannot take, with a line in the log."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        """Wrap the workflow."""
        return _Checked


class _Checked(WorkflowInboundInterceptor):
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
