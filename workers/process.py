"""One worker process: prove, connect, poll, drain."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Sequence

import structlog
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from longtake import tracing
from longtake.errors import StorageUnavailable
from longtake.settings import Home, drain_grace_s
from workers import namespace, telemetry
from workers.connection import PATIENCE_S, connect
from workers.interceptor import job_fields
from workers.leave import leave
from workers.polling import workers_for
from workers.settings import WorkerSettings
from workers.signals import stop_on_signal, unless, until

log = structlog.get_logger("longtake.worker")

PARENT_CHECK_S = 1.0
LATE_S = 10.0
"""So long after the grace a drain has hung, and the process leaves all the same."""


def run(settings: WorkerSettings) -> int:
    """Run this process's worker until it is told to stop. Returns the exit code."""
    _name_process(f"longtake-{settings.name}")
    telemetry.configure(settings.name, [job_fields])
    if settings.roles != ("control",):
        _prove_store()
    if "gpu" in settings.roles:
        from workers import gpu

        log.info("the GPU encodes", proved=gpu.prove())
    # A loop that is never closed: closing waits for threads, and the process leaves anyway.
    return asyncio.new_event_loop().run_until_complete(_serve(settings))


def _prove_store() -> None:
    """Refuse to start on a bucket that cannot be the work store, in words. One that comes up
    together with the workers is waited for."""
    bucket = Home.from_environment().bucket
    if bucket is None:
        return
    from storage.bucket_proof import prove
    from storage.threads import persist

    def try_it() -> str:
        try:
            return prove(bucket)
        except StorageUnavailable as error:
            log.warning(f"{error.message}; trying on for up to {PATIENCE_S:.0f} s")
            raise

    log.info("the work store is a bucket", proved=persist(try_it, PATIENCE_S))


async def _serve(settings: WorkerSettings) -> int:
    stop = stop_on_signal(at_once=lambda: leave(1))
    watcher = asyncio.ensure_future(_watch_parent(settings.parent, stop))
    client = await unless(stop, connect(settings))
    if client is None:
        return 0
    if settings.owns_server:
        await namespace.set_up(client)
    measuring = _measure(client, settings)
    workers = [
        worker
        for role in settings.roles
        for worker in workers_for(client, settings, role, measuring)
    ]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    announcing = asyncio.ensure_future(_announce(settings, workers))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
    announcing.cancel()
    watcher.cancel()
    return await _drain(workers, running)


def _measure(client: Client, settings: WorkerSettings) -> list[Interceptor]:
    """Begin to trace child processes and to count, where that is asked for."""
    if tracing.on() and settings.roles != ("control",):
        from workers.traces import trace_children

        trace_children()
    runtime = client.service_client.config.runtime
    if settings.metrics is None or runtime is None:
        return []
    from workers.metrics import Metrics

    return [Metrics(runtime.metric_meter)]


async def _drain(workers: list[Worker], running: Sequence[asyncio.Future[None]]) -> int:
    """Stop polling, let activities end within the grace. 1 if a worker had failed."""
    log.info("draining", grace_s=drain_grace_s())
    late = drain_grace_s() + LATE_S
    asyncio.get_running_loop().call_later(late, _leave_late)
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    failures = [f for f in await asyncio.gather(*running, return_exceptions=True) if f]
    for failure in failures:
        log.error("polling failed", exc_info=failure)
    log.info("stopped")
    return 1 if failures else 0


def _leave_late() -> None:
    log.error("the drain hangs: leaving without it")
    leave(1)


async def _announce(settings: WorkerSettings, workers: Sequence[Worker]) -> None:
    """Say that this process polls: to its supervisor and in the log."""
    await until(lambda: all(worker.is_running for worker in workers), every_s=0.01)
    log.info("polling", queues=[worker.task_queue for worker in workers], slots=settings.slots)
    if settings.ready is not None:
        os.write(settings.ready, b"ready\n")
        os.close(settings.ready)
    if settings.roles != ("control",):
        await _tell_sandbox()


async def _tell_sandbox() -> None:
    from media.children.sandbox import WORDS, sandbox  # control needs nothing of the engine

    log.info("sandbox", children=WORDS[await asyncio.to_thread(sandbox)])


async def _watch_parent(parent: int | None, stop: asyncio.Event) -> None:
    """Stop when the supervisor is gone. On Linux the kernel's signal comes first."""
    if parent is None:
        return
    await until(lambda: os.getppid() != parent, every_s=PARENT_CHECK_S)
    log.warning("the supervisor is gone")
    stop.set()


def _name_process(name: str) -> None:
    """The name that `top` and `ps -o comm` show, where the kernel lets a process set it."""
    if sys.platform == "linux":
        pr_set_name = 15
        ctypes.CDLL(None).prctl(pr_set_name, name.encode()[:15])
