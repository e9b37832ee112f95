"""Commands that only show: presets and schemas. They need no service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from longtake import contracts, presets
from longtake.cli.console import out, print_json
from longtake.cli.options import Json
from longtake.contracts.encode import EncodePreset
from longtake.contracts.package import PackagePreset
from longtake.contracts.stitch import StitchPreset
from longtake.errors import InvalidJob
from longtake.packages import package_presets
from longtake.stitching import stitch_presets

Preset = EncodePreset | StitchPreset | PackagePreset
Presets = dict[str, Preset]

ASKED = (
    contracts.Transcode,
    contracts.Preview,
    contracts.Command,
    contracts.Normalize,
    contracts.Stitch,
    contracts.EncodePreset,
    contracts.StitchPreset,
    contracts.Package,
    contracts.Batch,
    contracts.PackagePreset,
    contracts.Timetable,
    contracts.Pipeline,
    contracts.PipelineDocument,
    contracts.Transcribe,
)
TOLD = (
    contracts.JobResult,
    contracts.JobStatus,
    contracts.JobSummary,
    contracts.Progress,
    contracts.JobEvent,
    contracts.Delivery,
    contracts.MediaFacts,
    contracts.Probe,
    contracts.ItemResult,
    contracts.PackageCheck,
    contracts.ScheduleFacts,
    contracts.Transcript,
    contracts.StepStatus,
)


def presets_(
    name: Annotated[str | None, typer.Argument(help="Show this one.", metavar="NAME")] = None,
    as_json: Json = False,
) -> None:
    """List the presets, or show one."""
    found: Presets = {**presets.encode_presets(), **stitch_presets(), **package_presets()}
    if name is None:
        _show_all(found, as_json=as_json)
    elif name not in found:
        raise InvalidJob(f"there is no preset {name!r}; use one of: {', '.join(found)}")
    elif as_json:
        print_json({"name": name, **_content(found[name])})
    else:
        typer.echo(_file(name).read_text(encoding="utf-8"), nl=False)


def schema(
    name: Annotated[str | None, typer.Argument(help="Only this contract.", metavar="NAME")] = None,
) -> None:
    """Print the JSON Schemas of what goes in and comes out."""
    schemas = {model.__name__: model.model_json_schema() for model in ASKED}
    schemas |= {model.__name__: model.model_json_schema(mode="serialization") for model in TOLD}
    if name is not None and name not in schemas:
        raise InvalidJob(f"there is no contract {name!r}; use one of: {', '.join(schemas)}")
    print_json(schemas if name is None else schemas[name])


def _file(name: str) -> Path:
    folder = presets.application_root() / "presets"
    # Not those of pipelines: they have names of their own, and `longtake run` shows them.
    files = (folder / kind / f"{name}.yaml" for kind in ("encode", "stitch", "package"))
    return next(path for path in files if path.is_file())


def _show_all(found: Presets, *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": name, **_content(preset)} for name, preset in found.items()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("PRESET", "WHAT", "FOR WHOM"):
        table.add_column(heading)
    for name, preset in found.items():
        table.add_row(name, preset.title, preset.audience)
    out.print(table)


def _content(preset: Preset) -> dict[str, Any]:
    return preset.model_dump(mode="json", exclude_none=True)
