"""Entry point of workers: one process, or two under a supervisor where control is among the roles.

Workflow tasks must be answered within seconds; beside media work in one interpreter they would
wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog

from longtake.errors import LongtakeError
from longtake.importing import without_collecting
from workers import telemetry
from workers.leave import leave
from workers.settings import WorkerSettings, parse

log = structlog.get_logger("longtake.worker")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run workers until a signal; never returns."""
    settings = parse(arguments)
    run_and_leave(settings.name, lambda: _run(settings))


def run_and_leave(name: str, run: Callable[[], int]) -> NoReturn:
    """End this process with the exit code of `run`, or that of its error, which is logged."""
    telemetry.configure(name)
    try:
        code = run()
    except LongtakeError as error:
        log.error(error.message, error=type(error).__name__)
        code = error.exit_code
    except Exception:
        log.exception("failed in a way that nobody expected")
        code = 1
    leave(code)


def _run(settings: WorkerSettings) -> int:
    # Imported late: a supervisor needs nothing of Temporal, and a worker nothing of it.
    if "control" in settings.roles and len(settings.roles) > 1:
        from workers import mixed

        return mixed.run(settings)
    with without_collecting():
        from workers import process

    return process.run(settings)
