"""The usual queue, as its documentation advises for long tasks that must not be lost.

Run by a Celery worker of its own (bench/celery_pattern.py); the broker comes from the environment.
"""

from __future__ import annotations

import importlib
import os
import subprocess
from typing import Any

# By name: Celery is in the `bench` extra only, and has no type hints.
celery: Any = importlib.import_module("celery")

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")

app: Any = celery.Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # Longer than any task: a shorter one gives a running task to a second worker.
    broker_transport_options={"visibility_timeout": 3600},
    broker_connection_retry_on_startup=True,
)


def transcode(command: list[str], progress: str) -> None:
    """Run one whole FFmpeg command; it tells its progress in a file."""
    subprocess.run(["nice", "-n", "10", *command, "-progress", progress], check=True)


task: Any = app.task(name="bench.transcode")(transcode)
