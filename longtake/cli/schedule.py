"""`longtake schedule …`: jobs that are started again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from longtake.cli import values
from longtake.cli.console import out, print_json, say
from longtake.cli.job_file import read_job
from longtake.cli.options import Json
from longtake.cli.session import Farewell, attend
from longtake.contracts.schedule import Overlap, ScheduleFacts, Timetable
from longtake.presets import validated

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.schedules import Schedules

app = typer.Typer(help="Start jobs again and again, by cron or at an interval.")

Id = Annotated[str, typer.Argument(help="The schedule's id.", metavar="ID")]
Note = Annotated[str, typer.Option(help="Words for the record.")]


@app.command()
def create(
    schedule_id: Id,
    job: Annotated[Path, typer.Argument(help="YAML or JSON file of a job.", metavar="JOB")],
    cron: Annotated[
        list[str] | None,
        typer.Option(help="Minute hour day month weekday, or @daily; may be repeated."),
    ] = None,
    every: Annotated[str | None, typer.Option(help="Interval: 1h, 30m.", metavar="SPAN")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Of cron: Europe/Berlin; default UTC.", metavar="ZONE")
    ] = None,
    overlap: Annotated[
        Overlap | None, typer.Option(help="If the last job still runs; default skip.")
    ] = None,
    catch_up: Annotated[
        str | None,
        typer.Option(
            help="Make up for starts that were slept through, up to this age; default 1d.",
            metavar="SPAN",
        ),
    ] = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Start the job of a file by a timetable."""
    asked: dict[str, Any] = {
        "cron": cron or (),
        "every_s": values.span(every),
        "time_zone": time_zone,
        "overlap": overlap,
        "catch_up_s": values.span(catch_up),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    timetable = validated(Timetable, given)
    what = read_job(job)

    async def make(schedules: Schedules) -> None:
        await schedules.create(schedule_id, what, timetable, note=note)
        _show(await schedules.get(schedule_id), as_json=as_json)

    _attend(make)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the schedules."""

    async def show(schedules: Schedules) -> None:
        found = await schedules.list()
        if as_json:
            print_json([facts.model_dump(mode="json") for facts in found])
        elif found and out.is_terminal:
            out.print(_table(found))
        elif found:
            for row in (_HEADINGS, *map(_cells, found)):
                typer.echo("\t".join(row))
        else:
            say("no schedules")

    _attend(show)


@app.command()
def show(schedule_id: Id, as_json: Json = False) -> None:
    """Show a schedule: what it starts, when, and what it started lately."""

    async def look(schedules: Schedules) -> None:
        _show(await schedules.get(schedule_id), as_json=as_json)

    _attend(look)


@app.command()
def pause(schedule_id: Id, note: Note = "") -> None:
    """Start nothing until it is resumed. Jobs that run go on."""
    _do(f"schedule {schedule_id} is paused", lambda all_: all_.pause(schedule_id, note))


@app.command()
def resume(schedule_id: Id, note: Note = "") -> None:
    """Let a paused schedule go on."""
    _do(f"schedule {schedule_id} goes on", lambda all_: all_.resume(schedule_id, note))


@app.command()
def trigger(schedule_id: Id) -> None:
    """Start its job now."""
    _do(f"schedule {schedule_id} was triggered", lambda all_: all_.trigger(schedule_id))


@app.command()
def backfill(
    schedule_id: Id,
    begin: Annotated[str, typer.Option("--from", help="2d, or a date and time.", metavar="WHEN")],
    end: Annotated[str, typer.Option("--to", help="0s is now; or a date and time.")] = "0s",
    overlap: Annotated[Overlap, typer.Option(help="If the last job still runs.")] = "allow-all",
) -> None:
    """Start its job once for every time that was due in a span of the past."""
    now = datetime.now().astimezone()
    first, last = values.since(begin, now), values.since(end, now)
    assert first is not None
    assert last is not None
    words = f"schedule {schedule_id}: what was due since {first:%Y-%m-%d %H:%M} is started"
    _do(words, lambda all_: all_.backfill(schedule_id, first, last, overlap))


@app.command()
def delete(schedule_id: Id) -> None:
    """Forget a schedule. Jobs that it started go on."""
    _do(f"schedule {schedule_id} is deleted", lambda all_: all_.delete(schedule_id))


def _do(words: str, change: Callable[[Schedules], Awaitable[None]]) -> None:
    async def then_say(schedules: Schedules) -> None:
        await change(schedules)
        say(words)

    _attend(then_say)


def _attend(command: Callable[[Schedules], Awaitable[None]]) -> None:
    async def with_schedules(longtake: Longtake, _: Farewell) -> None:
        await command(longtake.schedules)

    attend(with_schedules)


_HEADINGS = ("SCHEDULE", "STARTS", "WHEN", "NEXT")


def _cells(facts: ScheduleFacts) -> tuple[str, ...]:
    due = "paused" if facts.paused else facts.next_at[0] if facts.next_at else "never"
    return facts.schedule_id, facts.summary, _when(facts), due


def _table(found: tuple[ScheduleFacts, ...]) -> Table:
    table = Table(*_HEADINGS, box=None, pad_edge=False, header_style="bold")
    for facts in found:
        table.add_row(*(cell.replace("[", "\\[") for cell in _cells(facts)))
    return table


def _show(facts: ScheduleFacts, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    lines = [
        f"{facts.schedule_id}: {facts.summary}",
        _when(facts) + (f", paused: {facts.note}" if facts.paused else ""),
        f"next: {', '.join(facts.next_at) or 'never'}",
        f"started {facts.started}, skipped {facts.skipped}, missed {facts.missed}",
    ]
    lines += [f"{run.due_at}  {run.job_id}" for run in facts.recent]
    for line in lines:
        typer.echo(line)


def _when(facts: ScheduleFacts) -> str:
    timetable = facts.timetable
    if timetable is None:
        return "by a timetable made elsewhere"
    if every := timetable.every_s:
        told = values.spelled(int(every)) if every.denominator == 1 else f"{float(every):g}s"
        return f"every {told}"
    return f"{', '.join(timetable.cron)} ({timetable.time_zone})"
