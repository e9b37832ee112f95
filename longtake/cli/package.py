"""`longtake package`: HLS and DASH of a film."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from longtake.cli import options, values
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.package import PackagePreset, Scheme
from longtake.errors import InvalidJob
from longtake.kinds import parse


def _encryption(words: str, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Encryption")


def package(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="Folder or s3:// prefix; made if it is not there.", metavar="DIR"
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            *("-p", "--preset"),
            help="hls-web (default), convert-to-hls, hls-hevc, hls-av1, audio-only-hls, or a file.",
            metavar="NAME|YAML",
        ),
    ] = None,
    ladder: Annotated[
        str | None,
        typer.Option(
            help="fixed; auto, by test encodes; or HEIGHT:RATE of each rung, such as "
            "1080:6M,720:3M,360:800k.",
            metavar="LADDER",
        ),
    ] = None,
    codec: Annotated[
        list[str] | None,
        typer.Option(help="h264, hevc, av1; may be repeated.", metavar="CODEC"),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="Length of a segment; default 4.", metavar="SECONDS")
    ] = None,
    gop: Annotated[
        str | None, typer.Option(help="Distance of keyframes; default 2.", metavar="SECONDS")
    ] = None,
    captions: Annotated[
        list[str] | None,
        typer.Option(
            help="SRT, WebVTT or ASS with its language, such as en=captions.vtt; may be repeated. "
            "Or transcribe: write down what is said.",
            metavar="LANGUAGE=FILE",
        ),
    ] = None,
    encrypt: Annotated[
        Scheme | None, _encryption("cbcs for HLS and DASH, aes-128 for HLS alone.")
    ] = None,
    key_file: Annotated[
        str | None, _encryption("Holds the key: 16 bytes, or 32 hexadecimal digits.", "FILE")
    ] = None,
    key_uri: Annotated[str | None, _encryption("Where players fetch the key.", "URI")] = None,
    key_id: Annotated[str | None, _encryption("32 hexadecimal digits, for cbcs.", "HEX")] = None,
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
    """Make a film ready for streaming: segments once, HLS and DASH manifests of them."""
    encryption = given({"scheme": encrypt, "key": key_file, "key_uri": key_uri, "key_id": key_id})
    if encryption and not {"scheme", "key", "key_uri"} <= set(encryption):
        raise InvalidJob("encryption takes --encrypt, --key-file and --key-uri together")
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "package",
        "input": input,
        "output": output,
        "preset": values.preset(preset, PackagePreset),
        "ladder": values.ladder(ladder),
        "codecs": codec or None,
        "segment_s": segment,
        "gop_s": gop,
        "captions": values.package_captions(captions or []),
        "encryption": encryption or None,
        "overwrite": overwrite,
    }
    start_and_follow(parse(given(asked)), as_json=as_json, no_wait=no_wait)
