"""Handing a job in from the command line, and following it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from longtake.cli import values
from longtake.cli.console import print_json, say
from longtake.cli.follow import follow
from longtake.cli.report import report
from longtake.cli.session import Farewell, attend
from longtake.kinds import AnyJob

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.handle import JobHandle


def start_and_follow(job: AnyJob, *, as_json: bool, no_wait: bool) -> None:
    """Start a job; report its result, or with `no_wait` its id."""

    async def run(longtake: Longtake, farewell: Farewell) -> None:
        handle = await longtake.start(job)
        say(f"{met(handle)} {handle.id}")
        if no_wait:
            await detach(handle, as_json=as_json)
        else:
            report(await follow(handle, farewell, as_json=as_json), as_json=as_json)

    attend(run)


async def detach(handle: JobHandle, *, as_json: bool) -> None:
    """Leave a job to itself: its id on stdout, the way back on stderr."""
    if as_json:
        status = await handle.status()
        print_json({"job_id": handle.id, "state": status.state})
    else:
        typer.echo(handle.id)
    say(f"`longtake watch {handle.id}` follows it")


def met(handle: JobHandle) -> str:
    """What a start met, as words before the job's id."""
    return {"new": "job", "running": "joined job", "done": "done before: job"}[handle.found]


def envelope(
    job_id: str | None,
    priority: int | None,
    tenant: str | None,
    label: list[str] | None,
    deadline: str | None,
    group: str | None,
    notify: list[str] | None,
) -> dict[str, Any]:
    """The fields that every job has, from the options of a command."""
    return {
        "id": job_id,
        "tenant": tenant,
        "priority": priority,
        "labels": values.labels(label or []),
        "deadline": values.deadline(deadline, datetime.now().astimezone()),
        "group": group,
        "notify": values.notify(notify) if notify else None,
    }


def given(asked: dict[str, Any]) -> dict[str, Any]:
    """Without what was not asked."""
    return {name: value for name, value in asked.items() if value is not None}
