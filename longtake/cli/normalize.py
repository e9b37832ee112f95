"""`longtake normalize`: files at another loudness, or told of theirs."""

from __future__ import annotations

from typing import Annotated

import typer

from longtake.cli import options, values
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.loudness import Target
from longtake.contracts.normalize import NormalizeMode, SoundCodec
from longtake.errors import InvalidJob
from longtake.kinds import parse


def normalize(
    input: Annotated[  # noqa: A002 - the contract's own name
        list[str], typer.Argument(help="Media file to read; several with --album.", metavar="IN…")
    ],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="File to make; with --album a folder.", metavar="OUT"),
    ],
    album: Annotated[
        bool, typer.Option("--album", help="One gain for all files, into the folder OUT.")
    ] = False,
    target: Annotated[
        Target | None, typer.Option("-t", "--target", help="Default: ebu-r128.")
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(help="LUFS, instead of the target's.", metavar="LUFS")
    ] = None,
    true_peak: Annotated[
        float | None, typer.Option(help="Highest true peak, likewise.", metavar="DBTP")
    ] = None,
    mode: Annotated[
        NormalizeMode | None,
        typer.Option(
            help="One gain; with a limiter where needed (default); evened out; or tags alone."
        ),
    ] = None,
    codec: Annotated[SoundCodec | None, typer.Option(help="Default: the source's.")] = None,
    bitrate: Annotated[str | None, typer.Option(help="Such as 128k.", metavar="RATE")] = None,
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
    """Set the loudness of every sound track, measured in the encoded file.

    The picture is copied; rate, channels, tags, cover and chapters are kept.
    """
    if len(input) > 1 and not album:
        raise InvalidJob(
            f"{len(input)} files: say --album to give them one gain; to level each by itself, "
            "start a job for each"
        )
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "normalize",
        "input": input if album else input[0],
        "output": output,
        "target": target,
        "loudness_lufs": loudness,
        "true_peak_dbtp": true_peak,
        "mode": mode,
        "codec": codec,
        "bitrate_bps": values.bit_rate(bitrate),
        "overwrite": overwrite,
    }
    start_and_follow(parse(given(asked)), as_json=as_json, no_wait=no_wait)
