"""Running one command against the service, and leaving well when it is interrupted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from longtake.cli.console import print_json, say
from longtake.cli.leaving import leave

if TYPE_CHECKING:
    from longtake.client import Longtake

T = TypeVar("T")

INTERRUPTED = 130


class Farewell:
    """What Ctrl-C does: tidy the screen, say how to go on, and end."""

    def __init__(self) -> None:
        self.tidy: Callable[[], None] = lambda: None
        self.words: tuple[str, ...] = ("interrupted",)
        self.document: dict[str, object] | None = None
        """What `--json` prints then."""

    def job_goes_on(self, job_id: str) -> None:
        """From now on there is a job that does not need us."""
        self.words = (
            f"detached: job {job_id} goes on",
            f"  longtake watch {job_id}    to rejoin",
            f"  longtake cancel {job_id}   to cancel it",
        )

    def __call__(self) -> None:
        """End the process: cancelled calls to Temporal can hold it up for ten seconds."""
        self.tidy()
        for line in self.words:
            say(line)
        if self.document is not None:
            print_json(self.document)
        leave(INTERRUPTED)


def attend(command: Callable[[Longtake, Farewell], Awaitable[T]]) -> T:
    """Run `command` with a client. Raises what it raises."""
    from longtake.client import Longtake  # brings Temporal in, which `--help` need not wait for

    keep_stdout_clean()

    async def attended() -> T:
        farewell = Farewell()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, farewell)
        async with Longtake.connect(notify=say) as longtake:
            return await command(longtake, farewell)

    return asyncio.run(attended())


def keep_stdout_clean() -> None:
    """Temporal's core logs to stdout, where results belong. What matters is raised anyway."""
    from temporalio.runtime import Runtime, TelemetryConfig

    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
