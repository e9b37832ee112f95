"""`longtake run`: do the steps of a pipeline, or show what they would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from longtake.cli import options, values
from longtake.cli.console import print_json, say
from longtake.cli.display import steps_display
from longtake.cli.engine import ask_engine
from longtake.cli.follow import follow
from longtake.cli.report import document as result_document
from longtake.cli.report import report
from longtake.cli.session import Farewell, attend
from longtake.cli.submit import detach, envelope, given, met
from longtake.contracts.pipeline import Facts, Pipeline, PipelineDocument, StepStatus
from longtake.contracts.probe import Probe
from longtake.errors import LongtakeError
from longtake.identity import located
from longtake.kinds import parse
from longtake.paths import local_path
from longtake.pipelines.check import PLAYED
from longtake.pipelines.conditions import facts_of
from longtake.pipelines.document import prepare
from longtake.pipelines.draw import mermaid, tree
from longtake.pipelines.estimate import estimate

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.handle import JobHandle

_WHY_DONE = "nothing changed since the pipeline was done"


def run(
    pipeline: Annotated[
        str, typer.Argument(help="A preset's name, or a YAML or JSON file.", metavar="PIPELINE")
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="Folder or prefix; made if it is not there.", metavar="DIR"
        ),
    ],
    files: Annotated[
        list[str] | None,
        typer.Option("--input", help="May be repeated, also for one name.", metavar="NAME=URI"),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", help="Words that it asks for.", metavar="NAME=WORDS"),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Draw it, estimate its cost, and start nothing.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each step why it ran or not.")
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
    """Run a pipeline: many steps on one upload, each durable, only what changed done again."""
    document, named = values.pipeline(pipeline)
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "kind": "pipeline",
        "pipeline": named,
        "inputs": values.named("--input", files or ()),
        "texts": values.named("--text", texts or ()),
        "output": output,
        "overwrite": overwrite,
    }
    job = located(parse(given(asked)))
    assert isinstance(job, Pipeline)
    prepare(job)
    if plan:
        _show_plan(job, document, as_json=as_json)
        return

    async def start(longtake: Longtake, farewell: Farewell) -> None:
        handle = await longtake.start(job)
        say(f"{met(handle)} {handle.id}")
        if no_wait:
            await detach(handle, as_json=as_json)
            return
        shown = None if handle.found == "done" else steps_display(document)
        try:
            result = await follow(handle, farewell, as_json=as_json, steps=shown)
        except LongtakeError:
            if explain:
                say(tree(document, statuses=await _explained(handle)))
            raise
        statuses = await _explained(handle) if explain else {}
        if as_json and explain:
            told = [status.model_dump(mode="json") for status in statuses.values()]
            print_json({**result_document(result), "steps": told})
            return
        report(result, as_json=as_json)
        if explain:
            say(tree(document, statuses=statuses))

    attend(start)


async def _explained(handle: JobHandle) -> dict[str, StepStatus]:
    """How the steps stand. Of a pipeline that was done before, none ran."""
    statuses = {status.name: status for status in await handle.steps()}
    if handle.found != "done":
        return statuses
    before = {"reused": True, "why": _WHY_DONE}
    return {
        name: status.model_copy(update=before) if status.state == "done" else status
        for name, status in statuses.items()
    }


def _show_plan(job: Pipeline, document: PipelineDocument, *, as_json: bool) -> None:
    costs = estimate(document, _facts(job, document))
    if as_json:
        print_json(
            {
                "tree": tree(document, costs=costs),
                "mermaid": mermaid(document, costs=costs),
                "cpu_s": costs,
            }
        )
        return
    typer.echo(tree(document, costs=costs))
    typer.echo(f"\n```mermaid\n{mermaid(document, costs=costs)}\n```")


def _facts(job: Pipeline, document: PipelineDocument) -> Mapping[str, Sequence[Facts]]:
    """Facts of the inputs that can be looked at from here."""
    found: dict[str, list[Facts]] = {}
    for name, uris in job.inputs.items():
        if document.inputs[name].type not in PLAYED:
            continue
        for uri in (uris,) if isinstance(uris, str) else uris:
            path = local_path(uri)
            if path is not None and path.is_file():
                probed = Probe.model_validate(ask_engine("media.probing.probe", str(path)))
                found.setdefault(name, []).append(facts_of(probed))
    return found
