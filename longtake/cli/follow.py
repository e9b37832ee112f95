"""Following a job in the terminal until it is over."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from longtake.cli.console import say
from longtake.cli.display import StepsDisplay, display
from longtake.cli.session import Farewell
from longtake.errors import LongtakeError, ServiceUnreachable

if TYPE_CHECKING:
    from longtake.contracts.result import JobResult
    from longtake.handle import JobHandle


async def follow(
    handle: JobHandle,
    farewell: Farewell,
    *,
    as_json: bool,
    steps: StepsDisplay | None = None,
) -> JobResult:
    """Show a job's progress, then return its result. Raises the job's error.

    `steps`: a display of a pipeline's steps, which is told how they stand.
    """
    farewell.job_goes_on(handle.id)
    if handle.found == "done":
        return await handle.result()
    shown = steps or display()
    farewell.tidy = shown.close
    try:
        async for progress in handle.progress():
            if steps is not None:
                with contextlib.suppress(LongtakeError):  # no worker answers just now
                    steps.stand(await handle.steps())
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
