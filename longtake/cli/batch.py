"""`longtake batch`: the same job for many files."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from longtake import batches, identity, preflight, service
from longtake.cli import options, values
from longtake.cli.console import out, print_json, say, warn
from longtake.cli.engine import ask_engine, require_engine
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.batch import Batch
from longtake.contracts.encode import EncodePreset
from longtake.contracts.package import PackagePreset
from longtake.contracts.pipeline import PipelineDocument
from longtake.errors import InvalidJob
from longtake.kinds import DEFAULT_KIND, parse
from longtake.paths import absolute, name_of, shown
from longtake.settings import Home
from longtake.words import counted

STDIN = "-"


def batch(
    input: Annotated[  # noqa: A002 - the contract's own name
        list[str],
        typer.Argument(
            help="Pattern in quotes, folder, s3:// prefix, or a list (.csv, .jsonl, .txt); files; "
            "or - for a list on stdin.",
            metavar="IN…",
        ),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="Folder of all outputs.", metavar="DIR")
    ],
    kind: Annotated[
        str, typer.Option(help="What is done with each: transcode, normalize, …")
    ] = DEFAULT_KIND,
    preset: options.Preset = None,
    pipeline: Annotated[
        str | None,
        typer.Option(help="Do a pipeline for each: a preset's name, or a YAML or JSON file."),
    ] = None,
    pipeline_input: Annotated[
        str | None,
        typer.Option(
            help="Which of its inputs each file is; default the one that it cannot do without.",
            metavar="NAME",
        ),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", help="Words that the pipeline asks for.", metavar="NAME=WORDS"),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other field of the job: video.crf=20, target=podcast; may be repeated.",
            metavar="FIELD=VALUE",
        ),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Of the outputs, such as .mp3.", metavar="SUFFIX")
    ] = None,
    max_parallel: Annotated[
        int | None, typer.Option(help="Items under way at once; default 8.", metavar="N")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run only the items that failed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
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
    notify: options.Notify = None,
) -> None:
    """Do the same for many files: `batch 'in/**/*.mov' -o out --preset web-720p`.

    One that fails does not stop the others; OUT/JOB.jsonl tells of each. The same command again
    runs what is new, changed, or failed.
    """
    files = input if input != [STDIN] else _lines(sys.stdin.buffer.read())
    listed = _list_of(files) if input == [STDIN] or len(files) > 1 else None
    what: dict[str, object] = {"kind": kind}
    _agree(kind, pipeline, pipeline_input, texts)
    if pipeline is not None:
        document, named = values.pipeline(pipeline)
        what = {"kind": "pipeline", "pipeline": named}
        pipeline_input = pipeline_input or _one_input(document)
    if texts:
        what["texts"] = values.named("--text", texts)
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "batch",
        "input": str(_place_of(listed)) if listed is not None else input[0],
        "output": output,
        "job": _job(what, preset, setting or [], overwrite=overwrite),
        "pipeline_input": pipeline_input,
        "suffix": suffix if suffix is None or suffix.startswith(".") else f".{suffix}",
        "max_parallel": max_parallel,
        "retry_failed": retry_failed,
    }
    job = identity.located(parse(given(asked)))
    assert isinstance(job, Batch)
    kept = listed is not None and _keep(Path(job.input), listed)
    if not dry_run:
        start_and_follow(job, as_json=as_json, no_wait=no_wait)
        return
    try:
        _tell(job, as_json=as_json)
    finally:
        if kept:
            Path(job.input).unlink()


def _agree(
    kind: str, pipeline: str | None, pipeline_input: str | None, texts: Sequence[str] | None
) -> None:
    """Raises InvalidJob for options that say one thing and another."""
    if pipeline is None:
        told = {
            "--kind pipeline": kind == "pipeline",
            "--pipeline-input": bool(pipeline_input),
            "--text": bool(texts),
        }
        if lacking := next((option for option, given in told.items() if given), None):
            raise InvalidJob(f"{lacking}: say which pipeline with --pipeline, a preset or a file")
    elif kind not in (DEFAULT_KIND, "pipeline"):
        raise InvalidJob(f"--kind {kind} or --pipeline: say one of them")


def _job(
    what: Mapping[str, object], preset: str | None, settings: Sequence[str], *, overwrite: bool
) -> dict[str, object]:
    """The job of each item, from the options of the command."""
    model = PackagePreset if what["kind"] == "package" else EncodePreset
    job = dict(what)
    if preset is not None:
        job["preset"] = values.preset(preset, model)
    if overwrite:
        job["overwrite"] = True
    for setting in settings:
        job = batches.merged(job, values.setting(setting))
    return job


def _one_input(document: PipelineDocument) -> str:
    """The one input that a job must give."""
    wanted = [name for name, each in document.inputs.items() if not each.optional]
    if len(wanted) != 1:
        known = ", ".join(document.inputs)
        raise InvalidJob(f"say which input each file is: --pipeline-input, one of {known}")
    return wanted[0]


def _lines(text: bytes) -> list[str]:
    # Not splitlines, which ends a line at characters that names may have.
    lines = text.decode("utf-8-sig", "surrogateescape").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    for number, line in enumerate(lines, start=1):
        if _is_object(line):
            raise InvalidJob(
                f"line {number} on stdin is JSON, and on each a file's name is wanted: write the "
                "lines to a file that ends in .jsonl, and name that"
            )
    return lines


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _list_of(files: Sequence[str]) -> bytes:
    """Files as a list, which lies elsewhere than where these names count from."""
    named = [name for name in files if name.strip()]
    if not named:
        raise InvalidJob("the list on stdin is empty: write one file a line")
    return "".join(f"{json.dumps({'input': absolute(name)})}\n" for name in named).encode()


def _place_of(listed: bytes) -> Path:
    home = Home.from_environment()
    if service.configured() is not None and home.lists == home.path / "lists":
        raise InvalidJob(
            "workers of a Temporal service of yours may not see files of this host: write the list "
            "to a file that they can read, and name it"
        )
    return home.lists / f"{hashlib.sha256(listed).hexdigest()[:32]}.jsonl"


def _keep(path: Path, listed: bytes) -> bool:
    """Put a list in its place; whether it was not there before."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(listed)
    return True


def _tell(job: Batch, *, as_json: bool) -> None:
    preflight.check(job)
    require_engine()
    document = ask_engine("activities.dry_run", job.model_dump_json())
    if as_json:
        print_json(document)
        return
    items: list[dict[str, Any]] = document["items"]
    for item in items:
        line = f"{shown(item['input'])} → {item['output']}"
        if item["would"] == "succeeded":
            line += "  (done before)"
        if item["would"] == "left":
            line += "  (has never run)"
        out.print(line, markup=False)
        if "error" in item:
            warn(f"{name_of(item['input'])}: {item['error']['message']}")
    runs = sum(item["would"] == "run" for item in items)
    say(f"{counted(len(items), 'items')}, {runs} to run; nothing was done")
