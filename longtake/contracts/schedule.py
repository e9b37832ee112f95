"""When a job is started again and again, and what is told of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from longtake.contracts.base import Contract, Report, Seconds

_TEN_YEARS_S = 10 * 366 * 86_400

Overlap = Literal["skip", "buffer-one", "buffer-all", "cancel-other", "allow-all"]


class Timetable(Contract):
    """When a schedule starts its job: by cron expressions, or at an interval."""

    cron: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        default=(),
        max_length=20,
        description="Minute, hour, day, month, weekday: '0 3 * * *'; or @hourly, @daily, …",
    )
    every_s: Annotated[Seconds, Field(ge=1, le=_TEN_YEARS_S)] | None = Field(
        default=None, description="Seconds from one start to the next."
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        default="UTC", description="Of the cron expressions: a name of the IANA, Europe/Berlin."
    )
    overlap: Overlap = Field(
        default="skip",
        description="If the last job still runs. skip: none is started. buffer-one, buffer-all: "
        "one, or all, are started behind it. cancel-other: it is cancelled first. allow-all: they "
        "run side by side.",
    )
    catch_up_s: Annotated[Seconds, Field(ge=10, le=_TEN_YEARS_S)] = Field(
        default=Fraction(86_400),
        description="Starts that the service slept through are made up for, if they are no older.",
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Timetable:
        if bool(self.cron) == bool(self.every_s):
            raise ValueError("say cron or every_s: one of the two")
        return self


class ScheduledRun(Report):
    """A job that a schedule started."""

    job_id: str
    due_at: str
    started_at: str


class ScheduleFacts(Report):
    """A schedule at this moment."""

    schedule_id: str
    summary: str
    """What it starts, in one line."""
    timetable: Timetable | None = None
    paused: bool = False
    note: str | None = None
    next_at: tuple[str, ...] = ()
    recent: tuple[ScheduledRun, ...] = ()
    started: int = 0
    skipped: int = 0
    """Starts that fell on a job that still ran."""
    missed: int = 0
    """Starts that the service slept through for too long."""
    job: dict[str, Any] | None = None
    """What it starts, whole; not in lists."""
