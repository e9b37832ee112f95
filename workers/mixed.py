"""`--role control` together with others: two processes under one supervisor."""

from __future__ import annotations

import asyncio
import dataclasses
import os

import structlog

from longtake.settings import drain_grace_s
from workers.settings import WorkerSettings, command
from workers.signals import stop_on_signal
from workers.supervisor import Kept, Program, kill_all, stop_in_order

log = structlog.get_logger("longtake.supervisor")

LATE_S = 15.0
"""More than a worker takes to notice itself that its drain hangs."""


def run(settings: WorkerSettings) -> int:
    """Run both until a signal. Returns 1 if one of them gave up: an orchestrator must see it."""
    return asyncio.new_event_loop().run_until_complete(_supervise(settings))


async def _supervise(settings: WorkerSettings) -> int:
    kept = [Kept(worker_program(part)) for part in split(settings)]
    stop = stop_on_signal(at_once=lambda: kill_all(kept))
    running = [(each, asyncio.ensure_future(each.keep())) for each in kept]
    stopping = asyncio.ensure_future(stop.wait())
    tasks = [task for _, task in running]
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    await stop_in_order(running)
    return 1 if any(each.problem for each in kept) else 0


def split(settings: WorkerSettings) -> list[WorkerSettings]:
    """Control on its own, the rest together; its metrics are served one port higher."""
    rest = settings.only([role for role in settings.roles if role != "control"])
    if rest.metrics is not None:
        host, _, port = rest.metrics.rpartition(":")
        rest = dataclasses.replace(rest, metrics=f"{host}:{int(port) + 1}")
    return [settings.only(["control"]), rest]


def worker_program(settings: WorkerSettings) -> Program:
    """A worker process for a supervisor."""

    def with_ready(descriptor: int) -> list[str]:
        parent = os.getpid()
        return command(dataclasses.replace(settings, ready=descriptor, parent=parent))

    return Program(settings.name, with_ready, patience_s=drain_grace_s() + LATE_S)
