"""The commands in one list, and what an error or an interrupt means for the exit code."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from longtake import __version__
from longtake.cli import engine, jobs, reference, schedule, serve
from longtake.cli.batch import batch
from longtake.cli.check import check
from longtake.cli.command import command
from longtake.cli.console import complain, err, print_json
from longtake.cli.demo import demo
from longtake.cli.doctor import doctor
from longtake.cli.ingest import ingest
from longtake.cli.normalize import normalize
from longtake.cli.package import package
from longtake.cli.play import play
from longtake.cli.preview import preview
from longtake.cli.probe import probe
from longtake.cli.report import failure
from longtake.cli.run import run as run_pipeline
from longtake.cli.session import INTERRUPTED
from longtake.cli.stitch import stitch
from longtake.cli.transcode import transcode
from longtake.cli.transcribe import transcribe
from longtake.cli.webhooks import webhooks
from longtake.errors import InvalidJob, LongtakeError

app = typer.Typer(
    help="Durable media jobs: what is started is finished, whatever dies on the way.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WORK = "Work"
_SERVICE = "Service"
_JOBS = "Jobs"
_SHOW = "Look things up"

app.command(rich_help_panel=_WORK)(transcode)
app.command(rich_help_panel=_WORK)(package)
app.command(rich_help_panel=_WORK)(transcribe)
app.command(rich_help_panel=_WORK)(preview)
app.command(rich_help_panel=_WORK)(normalize)
app.command(rich_help_panel=_WORK)(stitch)
app.command(rich_help_panel=_WORK)(command)
app.command("run", rich_help_panel=_WORK)(run_pipeline)
app.command(rich_help_panel=_WORK)(batch)
app.command(rich_help_panel=_WORK)(demo)
app.command(rich_help_panel=_JOBS)(jobs.status)
app.command(rich_help_panel=_JOBS)(jobs.watch)
app.command("list", rich_help_panel=_JOBS)(jobs.list_)
app.command(rich_help_panel=_JOBS)(jobs.cancel)
app.command(rich_help_panel=_JOBS)(jobs.pause)
app.command(rich_help_panel=_JOBS)(jobs.resume)
app.command(rich_help_panel=_JOBS)(jobs.prioritize)
app.command(rich_help_panel=_JOBS)(jobs.approve)
app.command(rich_help_panel=_JOBS)(jobs.retry)
app.command(rich_help_panel=_SERVICE)(ingest)
app.add_typer(schedule.app, name="schedule", rich_help_panel=_JOBS)
app.add_typer(webhooks, name="webhooks", rich_help_panel=_JOBS)
app.command(rich_help_panel=_SHOW)(probe)
app.command(rich_help_panel=_SHOW)(check)
app.command(rich_help_panel=_SHOW)(play)
app.command("presets", rich_help_panel=_SHOW)(reference.presets_)
app.command(rich_help_panel=_SHOW)(reference.schema)
app.command(rich_help_panel=_SERVICE)(serve.up)
app.command(rich_help_panel=_SERVICE)(serve.down)
app.command(rich_help_panel=_SERVICE)(serve.worker)
app.command(rich_help_panel=_SERVICE)(doctor)
app.command(rich_help_panel=_SERVICE)(engine.gc)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"longtake {__version__}")
        raise typer.Exit


@app.callback()
def _longtake(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    0 done, 1 the job failed, 2 a bad request, 3 no service, 130 interrupted.
    """
    try:
        return _invoke(arguments)
    except LongtakeError as error:
        if "--json" in arguments:
            print_json(failure(error))
        complain(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception:  # a bug of ours must not skip the way out in `main`
        err.print(traceback.format_exc(), markup=False)
        return 1


def _invoke(arguments: Sequence[str]) -> int:
    """The exit code of a command line. Raises InvalidJob for one that is not understood."""
    try:
        code = app(list(arguments) or ["--help"], prog_name="longtake", standalone_mode=False)
    except TyperException as error:
        # A Literal's words begin with pydantic's name for a validator.
        words = error.format_message().rstrip(".").replace("Value error, ", "", 1)
        raise InvalidJob(f"{words}. `--help` shows what there is") from error
    return code if isinstance(code, int) else 0
