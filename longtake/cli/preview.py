"""`longtake preview`: pictures and a waveform of a media file."""

from __future__ import annotations

from typing import Annotated

import typer

from longtake.cli import options
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.preview import PREVIEW_PARTS
from longtake.kinds import parse


def preview(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="Folder; made if it is not there.", metavar="DIR"),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Only {', '.join(PREVIEW_PARTS)}; may be repeated.", metavar="PART"),
    ] = None,
    poster_at: Annotated[
        str | None,
        typer.Option(help="Time of the poster. Default: the best frame.", metavar="TIME"),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            help="Between thumbnails, and between storyboard pictures.", metavar="SECONDS"
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_wait: options.NoWait = False,
    job_id: options.Id = None,
    priority: options.Priority = None,
    tenant: options.Tenant = None,
    label: options.Label = None,
    deadline: options.Deadline = None,
    group: options.Group = None,
    notify: options.Notify = None,
) -> None:
    """Make a poster, thumbnails, a storyboard, an animation, a waveform and its peaks."""
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "preview",
        "input": input,
        "output": output,
        "parts": only or None,
        "poster": given({"at": poster_at}),
        "thumbnails": given({"every_s": every}),
        "storyboard": given({"every_s": every}),
        "overwrite": overwrite,
    }
    start_and_follow(parse(given(asked)), as_json=as_json, no_wait=no_wait)
