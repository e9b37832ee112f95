"""Traces by OpenTelemetry, from the client to the last child process; off unless configured.

The standard variables configure them: `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`)
names a collector that takes OTLP over HTTP and turns them on, `OTEL_SDK_DISABLED` and
`OTEL_TRACES_EXPORTER=none` turn them off again; headers, sampling, batching and resource are
OpenTelemetry's own. Nothing of it is loaded while they are off.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.client import Interceptor

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def collector() -> str | None:
    """The collector that the environment names; None while traces are off."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    return next((found for name in _ENDPOINTS if (found := os.environ.get(name))), None)


def installed() -> bool:
    """Whether the packages are there: `pip install 'longtake[otel]'`."""
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def on() -> bool:
    """Whether this process makes spans. `longtake doctor` tells where only the packages lack."""
    return collector() is not None and installed()


def interceptors(service: str) -> list[Interceptor]:
    """For `Client.connect`; empty while traces are off. `service` is the resource's name."""
    if not on():
        return []
    from longtake import spans

    return [spans.JobTracing(spans.tracer(service))]


def flush() -> None:
    """Send what was not sent yet: for processes that end without Python's own way out."""
    spans = sys.modules.get("longtake.spans")
    if spans is not None:
        spans.flush()
