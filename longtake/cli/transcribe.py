"""`longtake transcribe`: what is said in a recording, as captions and as text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from longtake.cli import options, values
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.errors import InvalidJob
from longtake.kinds import parse


def _speech(words: str, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Speech")


def transcribe(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="File (.vtt, .srt, .json, .txt, .md), or a folder for one of each.",
            metavar="OUT",
        ),
    ],
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", help="What goes into a folder: vtt,srt,json,txt,md.", metavar="LIST"
        ),
    ] = None,
    burn: Annotated[
        bool, typer.Option("--burn", help="Make a film with the captions in its picture.")
    ] = False,
    mux: Annotated[
        bool, typer.Option("--mux", help="Make a film with the captions as a text track.")
    ] = False,
    model: Annotated[
        str | None, _speech("Name or folder of a model; default tiny.en.", "NAME")
    ] = None,
    language: Annotated[
        str | None, _speech("auto (default), or a code, such as en or de.", "CODE")
    ] = None,
    speakers: Annotated[
        Literal["channels"] | None, _speech("channels: each channel is a speaker.")
    ] = None,
    audio_track: Annotated[
        str | None, _speech("Number (from 1) or language of the sound track.", "TRACK")
    ] = None,
    hot_words: Annotated[
        str | None, _speech("Names and terms that are likely to be said.", "A,B,…")
    ] = None,
    prompt: Annotated[
        str | None, _speech("Text whose spelling and style are followed.", "TEXT")
    ] = None,
    beam_size: Annotated[int | None, _speech("Ways looked at side by side; default 5.")] = None,
    mask_profanity: Annotated[
        bool,
        typer.Option(
            "--mask-profanity",
            help="Leave of rude words the first letter.",
            rich_help_panel="Speech",
        ),
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_wait: options.NoWait = False,
    job_id: options.Id = None,
    priority: options.Priority = None,
    tenant: options.Tenant = None,
    label: options.Label = None,
    deadline: options.Deadline = None,
    group: options.Group = None,
    gpu: options.Gpu = None,
    notify: options.Notify = None,
) -> None:
    """Write down what is said: captions, text to read, and all of it in JSON."""
    if burn and mux:
        raise InvalidJob("--burn and --mux each make the film: name one of them")
    track = values.tracks([audio_track]) if audio_track else None
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "transcribe",
        "gpu": gpu,
        "input": input,
        "output": output,
        "formats": values.words(formats),
        "film": "burn" if burn else "mux" if mux else None,
        "model": values.model(model),
        "language": language,
        "speakers": speakers,
        "track": track[0] if track else None,
        "hot_words": values.words(hot_words),
        "prompt": prompt,
        "beam_size": beam_size,
        "mask_profanity": mask_profanity,
        "overwrite": overwrite,
    }
    start_and_follow(parse(given(asked)), as_json=as_json, no_wait=no_wait)
