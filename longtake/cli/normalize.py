"""`longtake normalize`: a file at another loudness."""

from __future__ import annotations

from typing import Annotated

import typer

from longtake.cli import options, values
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.loudness import LevelMode, Target
from longtake.contracts.normalize import SoundCodec
from longtake.kinds import parse


def normalize(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: options.Output,
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
        LevelMode | None,
        typer.Option(help="One gain; with a limiter where needed (default); or evened out."),
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
) -> None:
    """Set the loudness of every sound track, measured in the encoded file.

    The picture is copied; rate, channels, tags, cover and chapters are kept.
    """
    asked = {
        **envelope(job_id, priority, tenant, label, deadline),
        "kind": "normalize",
        "input": input,
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
