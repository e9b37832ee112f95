"""Following a job in the terminal until it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtake.cli.console import say
from longtake.cli.display import display
from longtake.cli.session import Farewell
from longtake.errors import ServiceUnreachable

if TYPE_CHECKING:
    from longtake.client import JobHandle
    from longtake.contracts.result import JobResult


async def follow(handle: JobHandle, farewell: Farewell, *, as_json: bool) -> JobResult:
    """Show a job's progress, then return its result. Raises the job's error."""
    farewell.job_goes_on(handle.id)
    if handle.found == "done":
        return await handle.result()
    shown = display()
    farewell.tidy = shown.close
    try:
        async for progress in handle.progress():
            shown.show(progress)
            if as_json:
                farewell.document = {"job_id": handle.id, "state": progress.state}
    except ServiceUnreachable:
        shown.close()
        say(f"job {handle.id} is safe: the same command again goes on where it was")
        raise
    finally:
        shown.close()
    return await handle.result()
