"""`describe_worker`: every queue answers who works on it. `longtake doctor` asks."""

from __future__ import annotations

import asyncio
import functools
import os
import platform
import socket
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from temporalio import activity

from longtake.embedded import own_version
from longtake.fleet import DESCRIBE, WorkerFacts
from longtake.queues import Role
from media.children.capacity import cores, memory_bytes
from media.ffmpeg.tools import ffmpeg, ffmpeg_version
from workers import gpu
from workers.settings import WorkerSettings

_SOFTWARE_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "aac", "libopus")


def describe_worker(role: Role, settings: WorkerSettings) -> Callable[..., Any]:
    """The activity for the queue of one role."""

    @activity.defn(name=DESCRIBE)
    async def describe() -> WorkerFacts:
        encoders = await asyncio.to_thread(_encoders, role)
        return WorkerFacts(
            host=socket.gethostname(),
            pid=os.getpid(),
            queue=activity.info().task_queue,
            roles=list(settings.roles),
            slots=settings.io_slots if role == "io" else settings.slots,
            cores=cores(),
            memory_bytes=memory_bytes(),
            versions=await asyncio.to_thread(_versions),
            encoders=encoders,
        )

    return describe


@functools.cache
def _encoders(role: Role) -> list[str]:
    """Software encoders in this FFmpeg; those of the card were proven before polling."""
    if role == "control":
        return []
    command = [ffmpeg(), "-hide_banner", "-encoders"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    words = set(listed.stdout.split())
    found = [name for name in _SOFTWARE_ENCODERS if name in words]
    return found + list(gpu.ENCODERS if role == "gpu" else ())


@functools.cache
def _versions() -> dict[str, str]:
    return {
        "longtake": own_version(),
        "temporalio": version("temporalio"),
        "python": platform.python_version(),
        "ffmpeg": ffmpeg_version(),
    }
