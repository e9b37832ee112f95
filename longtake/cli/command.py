"""`longtake command`: FFmpeg arguments of one's own, made durable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longtake.cli import options
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.errors import OutputConflict
from longtake.kinds import parse


def command(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="File to make; its suffix is its format.", metavar="OUT"
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="FFmpeg's options, behind `--`.", metavar="-- FFMPEG-ARGS…"),
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
    """Run FFmpeg with your own arguments: `command in.mov -o out.mp4 -- -vf hflip`.

    Arguments that could reach another file, a device or the network are refused. `-i {input}`
    divides options of the input from options of the output.
    """
    if Path(output).is_dir():
        raise OutputConflict(f"{output} is a folder; name a file in it")
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "command",
        "input": input,
        "output": output,
        "arguments": arguments or [],
        "overwrite": overwrite,
    }
    start_and_follow(parse(given(asked)), as_json=as_json, no_wait=no_wait)
