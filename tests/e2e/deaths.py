"""Ways in which what a job needs can die, and moments at which it does."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterable

import psutil

from tests.e2e.service import Service, until

SEED = int(os.environ.get("LONGTAKE_TEST_SEED") or random.randrange(10**6))
"""Of everything that is drawn by chance; tests print it, so that a failure can be had again."""


def kill_worker(service: Service) -> None:
    """The media worker; its children die with it."""
    until(service.worker, 60, "a worker to kill").kill()


def kill_children(service: Service) -> None:
    """All that the media worker has started: encoders, readers, listeners, the packager."""
    _kill(until(service.worker, 60, "a worker with children").children(recursive=True))


def kill_everything(service: Service) -> None:
    """Supervisor, server and workers, with all their children, and whoever starts them."""

    def are_dead() -> bool:
        _kill(service.processes())
        return not service.processes() and not service.encoders()

    until(are_dead, 30, "all dead")


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it died with its parent
            process.kill()


DEATHS: dict[str, Callable[[Service], None]] = {
    "the worker": kill_worker,
    "its children": kill_children,
    "everything": kill_everything,
}
