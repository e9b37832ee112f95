"""Spans of child processes, below the span of the step that started them."""

from __future__ import annotations

from opentelemetry.trace import Status, StatusCode

from longtake import spans
from media.children.observe import ChildEnded, observe

SERVICE = "longtake-worker"


def trace_children() -> None:
    """Make a span of every child process that ends from now on."""
    tracer = spans.tracer(SERVICE)

    def trace(child: ChildEnded) -> None:
        began = int(child.began_at * 1e9)
        attributes: dict[str, str | int | float] = {
            "process.executable.name": child.program,
            "process.exit.code": child.code,
            "longtake.cpu_s": round(child.cpu_s, 3),
            "longtake.frames": child.frames,
            "longtake.peak_memory_bytes": child.peak_memory_bytes,
        }
        # Made after the fact, so nothing is in the way while the child runs.
        span = tracer.start_span(f"child:{child.program}", attributes=attributes, start_time=began)
        if child.code:
            span.set_status(Status(StatusCode.ERROR, f"ended with {child.code}"))
        span.end(end_time=began + int(child.wall_s * 1e9))

    observe(trace)
