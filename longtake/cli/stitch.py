"""`longtake stitch`: one programme from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from longtake.cli import options, values
from longtake.cli.job_file import beside, from_file, read_fields
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.loudness import Target
from longtake.contracts.stitch import FilmCodec, StitchPreset
from longtake.errors import InvalidJob
from longtake.kinds import parse

_SHOWS = (".yaml", ".yml", ".json")


def _bumper(words: str) -> Any:
    return typer.Option(help=words, metavar="FILE")


def _picture(words: str, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Picture")


def stitch(
    parts: Annotated[
        list[str],
        typer.Argument(help="Recordings in their order; or one SHOW.yaml.", metavar="PART"),
    ],
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            help="File to make: .mp3, .m4a, .opus, .flac, .wav, or with the pictures .mp4, .mov, "
            ".mkv; may be repeated.",
            metavar="OUT",
        ),
    ] = None,
    intro: Annotated[str | None, _bumper("Bumper before the first part.")] = None,
    outro: Annotated[str | None, _bumper("Bumper behind the last part.")] = None,
    between: Annotated[str | None, _bumper("Bumper between two parts.")] = None,
    crossfade: Annotated[
        str | None, typer.Option(help="Overlap of neighbours, such as 1s.", metavar="TIME")
    ] = None,
    trim_silence: Annotated[
        bool, typer.Option("--trim-silence", help="Take silence off both ends of each part.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(
            *("-p", "--preset"),
            help="podcast-episode, audiobook-chapter, voice-memo, or a file.",
            metavar="NAME|YAML",
        ),
    ] = None,
    target: Annotated[
        Target | None, typer.Option("-t", "--target", help="Default: podcast.")
    ] = None,
    video: Annotated[FilmCodec | None, _picture("Default: the first part's, or h264.")] = None,
    crf: options.Crf = None,
    size: Annotated[
        str | None, _picture("Default: the first part's.", metavar="WIDTHxHEIGHT")
    ] = None,
    frame_rate: Annotated[str | None, _picture("Default: the first part's.", metavar="FPS")] = None,
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
    """Join recordings or films to one programme: trimmed, levelled, faded, encoded, tagged.

    What else a job may say (chapters, tags, music beds, segments) stands in a SHOW.yaml.
    """
    picture = {"size": size, "frame_rate": frame_rate, "codec": video, "crf": crf}
    asked = {
        "outputs": [{"uri": uri} for uri in output or []] or None,
        "preset": values.preset(preset, StitchPreset),
        "target": target,
        "join": given({"crossfade_s": values.seconds(crossfade)}) or None,
        "picture": given(picture) or None,
    }
    bumpers = {"--intro": intro, "--outro": outro, "--between": between}
    if len(parts) == 1 and parts[0].lower().endswith(_SHOWS):
        others: dict[str, Any] = {
            "-o": output,
            "--preset": preset,
            "--target": target,
            "--crossfade": crossfade,
        }
        others |= {"--size": size, "--frame-rate": frame_rate, "--video": video, "--crf": crf}
        named = given(bumpers | others | {"--trim-silence": trim_silence or None})
        document = _show(Path(parts[0]), list(named))
    else:
        trim: dict[str, Any] = {"trim": {}} if trim_silence else {}
        document = asked | {"timeline": _timeline(parts, bumpers, trim)}
        if not output:
            raise InvalidJob("name the file to make: -o OUT.mp3")
    asked_of_all = envelope(job_id, priority, tenant, label, deadline, group, notify)
    document = document | _told(asked_of_all) | ({"overwrite": True} if overwrite else {})
    start_and_follow(parse(given({**document, "kind": "stitch"})), as_json=as_json, no_wait=no_wait)


def _timeline(
    parts: list[str], bumpers: dict[str, str | None], trim: dict[str, Any]
) -> list[dict[str, Any]]:
    timeline: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        if number and bumpers["--between"]:
            timeline.append({"source": bumpers["--between"], "role": "bumper", **trim})
        timeline.append({"source": part, **trim})
    if bumpers["--intro"]:
        timeline.insert(0, {"source": bumpers["--intro"], "role": "bumper", **trim})
    if bumpers["--outro"]:
        timeline.append({"source": bumpers["--outro"], "role": "bumper", **trim})
    return timeline


def _show(path: Path, named: list[str]) -> dict[str, Any]:
    """A job from a file; paths in it are relative to its folder. Raises InvalidJob."""
    if named:
        raise InvalidJob(f"{path} says it all: write what {named[0]} asks for into it")
    document = read_fields(path)
    if document.get("kind", "stitch") != "stitch":
        raise InvalidJob(f"{path} is no stitch job: it needs `timeline` and `outputs`")
    if _is_preset_file(document.get("preset")):
        document["preset"] = values.preset(beside(path, document["preset"]), StitchPreset)
    return from_file(path, parse({**document, "kind": "stitch"}))


def _is_preset_file(preset: object) -> bool:
    return isinstance(preset, str) and preset.endswith((".yaml", ".yml"))


def _told(envelope: dict[str, Any]) -> dict[str, Any]:
    """What was said on the command line: an empty list of labels must not hide the show's."""
    return {name: value for name, value in envelope.items() if value}
