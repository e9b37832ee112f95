"""What tests of workflows share: how steps pretend, and the workers that run them.

Each test has steps of its own, which note and wait for what it asks about; these are their words.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longtake.contracts import Output, Stats
from longtake.contracts.steps.command import CommandAdmission
from longtake.contracts.steps.common import EncodeDone, Published, Source
from longtake.embedded import server_binary
from longtake.errors import LongtakeError
from longtake.queues import CONTROL_QUEUE
from storage.local import sha256_of
from tests.patience import WAIT_S
from workers.unfit_input import UnfitInput

NO_FILE = "0" * 64
"""Stands for the hash of a file that is not there."""

Steps = Sequence[Callable[..., Any]]


def source_of(uri: str) -> Source:
    """A tiny file, pinned."""
    path = Path(uri)
    stat = path.stat()
    version = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
    return Source(uri=uri, bytes=stat.st_size, sha256=sha256_of(path), version=version)


def no_source(uri: str) -> Source:
    """A file that is not there, pinned."""
    return Source(uri=uri, bytes=1, sha256=NO_FILE, version="1")


def admission(source: Source, *writing: str) -> CommandAdmission:
    """A command that may run, with its arguments."""
    return CommandAdmission(
        source=source,
        demuxer="mov",
        muxer="mp4",
        reading=(),
        writing=writing,
        media_s=1.0,
        engine="1",
    )


def encoded(key: str = "made", *, cpu_s: float = 0.0) -> EncodeDone:
    """A step that is done."""
    return EncodeDone(key=key, frames=1, reused=False, stats=Stats(cpu_s=cpu_s))


def published(uri: str) -> Published:
    """A tiny file that was written."""
    path = Path(uri)
    made = Output(uri=uri, role="main", bytes=path.stat().st_size, sha256=sha256_of(path))
    return Published(outputs=(made,), stats=Stats())


def not_published(uri: str, role: str = "main", *, outputs: int = 1) -> Published:
    """Files that nobody wrote."""
    output = Output(uri=uri, role=role, bytes=1, sha256=NO_FILE)
    return Published(outputs=(output,) * outputs, stats=Stats())


async def wait_while(claim: Callable[[], bool], *told: object) -> None:
    """In a step: be at work as long as it holds; heartbeats say what is `told`."""
    while claim():
        activity.heartbeat(*told)
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def working(
    client: Client, workflows: Sequence[type], steps: Mapping[str, Steps]
) -> AsyncIterator[None]:
    """Workers for the workflows, and for the steps of each task queue."""
    workers = [
        Worker(
            client,
            task_queue=CONTROL_QUEUE,
            workflows=workflows,
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[UnfitInput()],
            workflow_failure_exception_types=[ValidationError, LongtakeError],
        ),
        *(
            Worker(
                client,
                task_queue=queue,
                activities=activities,
                max_heartbeat_throttle_interval=timedelta(seconds=0.2),
            )
            for queue, activities in steps.items()
        ),
    ]
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    try:
        yield
    finally:
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*tasks)


async def temporal(client: Client, *words: str) -> str:
    """The Temporal command, as a person types it; it sends what is typed as JSON."""
    at = client.service_client.config.target_host
    where = ("--address", at, "--namespace", client.namespace)
    command = [str(server_binary()), *words, *where]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    return done.stdout
