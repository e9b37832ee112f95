"""Metrics of a worker process for Prometheus: the SDK's own, and what only Longtake knows.

`LONGTAKE_METRICS=HOST:PORT` turns them on; `/metrics` there has both. The names stand in
docs/operations.md. Nothing of this is loaded while they are off.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from temporalio import activity
from temporalio.common import MetricMeter
from temporalio.runtime import PrometheusConfig
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from longtake.contracts.steps.common import EncodeDone, JobRecord, Published
from longtake.settings import Home
from media.children.observe import ChildEnded, observe

DISK_CHECK_S = 30.0


def prometheus(address: str) -> PrometheusConfig:
    """The endpoint, with units in every name."""
    return PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )


class Metrics(Interceptor):
    """Counts what steps of this process did, and what their children cost. Needs a loop."""

    def __init__(self, meter: MetricMeter) -> None:
        self.parts = meter.create_counter("longtake_parts", "Encoded parts: chunks and sounds")
        self.jobs = meter.create_counter("longtake_jobs", "Jobs that ended")
        self.retries = meter.create_counter("longtake_retries", "Tries of steps after the first")
        self.written = meter.create_counter("longtake_written_bytes", "Finished parts and outputs")
        self.cpu = meter.create_histogram_float(
            "longtake_child_cpu_seconds", "CPU time of child processes"
        )
        self.free = meter.create_gauge("longtake_work_store_free_bytes", "Free disk")
        observe(self._count_child)
        self._watching = asyncio.ensure_future(self._watch_disk())

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap the activity."""
        return _MeasuredActivity(next, self)

    def _count_child(self, child: ChildEnded) -> None:
        step = activity.info().activity_type if activity.in_activity() else "none"
        self.cpu.record(child.cpu_s, {"program": child.program, "activity_type": step})

    async def _watch_disk(self) -> None:
        """Tell the work store's free disk, now and then, for ever."""
        while True:
            store = Home.from_environment().work_store
            try:
                place = next(folder for folder in (store, *store.parents) if folder.exists())
                self.free.set((await asyncio.to_thread(shutil.disk_usage, place)).free)
            except OSError:  # the disk is away: then there is nothing to tell
                pass
            await asyncio.sleep(DISK_CHECK_S)


class _MeasuredActivity(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, metrics: Metrics) -> None:
        super().__init__(following)
        self._metrics = metrics

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info, metrics = activity.info(), self._metrics
        step = {"activity_type": info.activity_type}
        if info.attempt > 1:
            metrics.retries.add(1, step)
        result = await super().execute_activity(input)
        if isinstance(result, EncodeDone):
            metrics.parts.add(1, {**step, "reused": str(result.reused).lower()})
        if isinstance(result, EncodeDone | Published):
            metrics.written.add(result.stats.bytes_written, step)
        for argument in input.args:
            if isinstance(argument, JobRecord):
                ended = argument.summary
                metrics.jobs.add(1, {"kind": ended.kind, "state": ended.state})
        return result
