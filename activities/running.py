"""How a step runs: it heartbeats, hands work back on shutdown, and fails in Temporal's words.

Errors are translated here and nowhere else: what a retry cannot mend is non-retryable, and
the failure's type is the error's class name.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.place import place
from longtake.contracts.base import Contract
from longtake.contracts.steps.common import Step
from longtake.errors import (
    LongtakeError,
    Poisoned,
    ProcessKilled,
    ProcessStalled,
    ResourceExhausted,
)
from longtake.settings import drain_grace_s
from media.children.process import Tick
from storage.work import content_key

BEAT_S = 1.0
ROOM_TRIES = 3
"""So often a full disk is tried again before the job fails with words."""
POISON_AFTER = 3
"""So often the processes of a step may be killed or stand still."""
SURPRISE_TRIES = 5
"""So often an error that nobody expected is tried again."""

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out", bound=Contract)


@dataclass
class Beat:
    """How far a step is; sent with each heartbeat. A hint for people, never a checkpoint."""

    stage: str
    total_s: float = 0.0
    frames: int = 0
    fraction: float = 0.0
    fps: float | None = None
    speed: float | None = None
    worked: bool = False
    """A child of this step has reported: what the step gives was not there already."""
    started: float = field(default_factory=time.monotonic)

    def on_tick(self, tick: Tick) -> None:
        """Take over a report of FFmpeg's."""
        self.frames, self.fps, self.speed = tick.frames, tick.fps, tick.speed
        self.worked = True
        if self.total_s > 0:
            self.fraction = min(1.0, max(self.fraction, tick.out_s / self.total_s))

    def remaining_s(self) -> float | None:
        """Seconds left at the pace so far; None while nothing is known."""
        if self.fraction <= 0.0:
            return None
        return (time.monotonic() - self.started) * (1.0 - self.fraction) / self.fraction

    def details(self) -> dict[str, Any]:
        """Small plain JSON."""
        return {
            "stage": self.stage,
            "fraction": round(self.fraction, 4),
            "fps": self.fps,
            "speed": self.speed,
            "frames": self.frames,
        }


Run = Callable[[In, Beat], Awaitable[Out]]


def implements(step: Step[In, Out], stage: str) -> Callable[[Run[In, Out]], Callable[..., Any]]:
    """Turn `async def f(request, beat)` into the activity that `step` names."""

    def wrap(run: Run[In, Out]) -> Callable[..., Any]:
        async def activity_of_step(request: In) -> Out:
            return await _attempt(run, request, Beat(stage))

        activity_of_step.__doc__ = run.__doc__
        activity_of_step.__annotations__ = {"request": step.takes, "return": step.gives}
        return activity.defn(name=step.name)(activity_of_step)

    return wrap


async def _attempt(run: Run[In, Out], request: In, beat: Beat) -> Out:
    heart = asyncio.ensure_future(_heartbeats(beat))
    work = asyncio.ensure_future(run(request, beat))
    drain = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({work, drain}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and not _ends_in_time(beat):
            work.cancel()
            await asyncio.wait({work})
            if work.cancelled():
                raise _handed_back()
        result = await work
        _measure(beat)
        return result
    except asyncio.CancelledError:
        work.cancel()
        await asyncio.wait({work})
        if work.cancelled() or work.exception() is not None:
            raise
        return work.result()  # what is published is published
    except ApplicationError:
        raise
    except Exception as error:
        told = error
        if isinstance(error, (ProcessKilled, ProcessStalled)):
            told = await _poisoned(error) or error
        raise translate(told, activity.info().attempt) from error
    finally:
        heart.cancel()
        drain.cancel()


async def _poisoned(killed: ProcessKilled | ProcessStalled) -> Poisoned | None:
    """Count the deaths of this step's processes; the third is the last. Attempts are no measure: a
    worker that is replaced takes one, too."""
    info = activity.info()
    key = content_key("deaths", run=info.workflow_run_id, step=info.activity_id)
    try:
        deaths = await place().store.note(key, str(info.attempt), killed.message)
    except LongtakeError:
        return None  # it cannot be counted now; the step is tried again
    if deaths < POISON_AFTER:
        return None
    return Poisoned(
        f"this step ended its process {deaths} times and is not tried again. The last time: "
        f"{killed.message.rstrip('.')}. When the cause is mended, `longtake retry "
        f"{info.workflow_id}` runs only what is missing"
    )


def _measure(beat: Beat) -> None:
    """Count the media that was worked on; where metrics are off, the meter does nothing."""
    if beat.worked and beat.total_s:
        meter = activity.metric_meter()
        meter.create_histogram_float("longtake_media_seconds").record(beat.total_s)


async def _heartbeats(beat: Beat) -> None:
    """From the first second on: most steps are over by then, and a beat is a call that writes."""
    while True:
        await asyncio.sleep(BEAT_S)
        activity.heartbeat(beat.details())


def _ends_in_time(beat: Beat) -> bool:
    remaining = beat.remaining_s()
    return remaining is not None and remaining < drain_grace_s() * 0.8


def _handed_back() -> ApplicationError:
    """The worker leaves: another one takes the step over at once."""
    return ApplicationError(
        "the worker is shutting down; another one goes on",
        type="HandedBack",
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=timedelta(milliseconds=10),
    )


def translate(error: Exception, attempt: int) -> ApplicationError:
    """The failure that Temporal sees."""
    if isinstance(error, OSError):
        error = _from_system(error)
    if not isinstance(error, LongtakeError):
        words = f"a step failed in a way that nobody expected: {type(error).__name__}: {error}"
        final = attempt >= SURPRISE_TRIES
        return ApplicationError(words, type="LongtakeError", non_retryable=final)
    final = not error.retry or (isinstance(error, ResourceExhausted) and attempt >= ROOM_TRIES)
    return ApplicationError(error.message, type=type(error).__name__, non_retryable=final)


def _from_system(error: OSError) -> LongtakeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(f"no space left on the disk of {error.filename or 'the worker'}")
    return ResourceExhausted(f"the worker's system refused: {error}")
