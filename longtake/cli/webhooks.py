"""`longtake webhooks`: what became of a job's events, and sending them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from longtake.cli.console import out, print_json, say
from longtake.cli.jobs import JobId
from longtake.cli.options import Json
from longtake.cli.session import Farewell, attend
from longtake.contracts.webhooks import Delivery
from longtake.errors import InvalidJob

if TYPE_CHECKING:
    from longtake.client import Longtake

webhooks = typer.Typer(help="What became of a job's webhooks, and sending them again.")

_HEADINGS = ("EVENT", "TYPE", "RECEIVER", "STATE", "TRIES", "ANSWER", "WHEN")


@webhooks.command("list")
def list_(job_id: JobId, as_json: Json = False) -> None:
    """List a job's events, and whether their receivers took them."""

    async def show(longtake: Longtake, _: Farewell) -> None:
        log = await longtake.webhooks(job_id)
        if as_json:
            print_json([each.model_dump(mode="json") for each in log])
        elif out.is_terminal:
            table = Table(*_HEADINGS, box=None, pad_edge=False, header_style="bold")
            for each in log:
                table.add_row(*(cell.replace("[", "\\[") for cell in _cells(each)))
            out.print(table)
        else:
            for row in (_HEADINGS, *map(_cells, log)):
                typer.echo("\t".join(row))

    attend(show)


@webhooks.command()
def replay(
    job_id: JobId,
    event: Annotated[
        list[str] | None, typer.Option(help="Only this event; may be repeated.", metavar="ID")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was taken: the receiver lost it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send events again, under their own ids: those that no receiver took, if none is named."""
    if event and everything:
        raise InvalidJob("--event names some events, --all means every one; give one of both")

    async def again(longtake: Longtake, _: Farewell) -> None:
        sent = await longtake.replay_webhooks(job_id, event or (), everything=everything)
        if as_json:
            print_json({"job_id": job_id, "events": sent})
        elif sent:
            say(f"{len(sent)} sent again; `longtake webhooks list {job_id}` tells what came of it")
        else:
            say("nothing to send: every event was taken, or a success came behind it")

    attend(again)


def _cells(each: Delivery) -> tuple[str, ...]:
    when = each.at or each.next_try
    moment = f"{when.astimezone():%Y-%m-%d %H:%M:%S}" if when else ""
    due = "next " if each.at is None and when else ""
    tries = str(each.tries or "")
    return (each.id, each.type, each.url, each.state, tries, each.answer or "", due + moment)
