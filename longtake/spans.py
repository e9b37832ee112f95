"""OpenTelemetry spans of jobs. Loaded only where traces are on: see `longtake.tracing`."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from temporalio.client import OutboundInterceptor, QueryWorkflowInput
from temporalio.contrib.opentelemetry import TracingInterceptor

FLUSH_S = 2.0
"""So long a process that ends waits for its collector."""


class JobTracing(TracingInterceptor):
    """Spans for what a client starts and signals, for workflows, and for each try of a step."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        """Wrap the client's calls."""
        return _WithoutQueries(super().intercept_client(next), next)


class _WithoutQueries(OutboundInterceptor):
    """Progress is asked for twice a second: each would be a trace of its own."""

    def __init__(self, traced: OutboundInterceptor, plain: OutboundInterceptor) -> None:
        super().__init__(traced)
        self._plain = plain

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:  # noqa: A002
        return await self._plain.query_workflow(input)


def tracer(service: str) -> trace.Tracer:
    """Makes Longtake's spans; `service` is the resource's name unless the environment says."""
    theirs = trace.get_tracer_provider()
    if isinstance(theirs, TracerProvider):  # of the application that we are a part of
        return theirs.get_tracer("longtake")
    return _provider(service).get_tracer("longtake")


_ours: list[TracerProvider] = []


@functools.cache
def _provider(service: str) -> TracerProvider:
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _ours.append(provider)
    return provider


def flush() -> None:
    """Send what was not sent yet, in threads aside: no collector may hold up a process."""
    for provider in _ours:
        sending = threading.Thread(target=provider.force_flush, daemon=True)
        sending.start()
        sending.join(FLUSH_S)
