"""Commands on jobs that were started before."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from longtake.cli import values
from longtake.cli.console import out, print_json, say
from longtake.cli.display import duration, steps_display
from longtake.cli.follow import follow
from longtake.cli.options import Json, NoWait
from longtake.cli.report import report, report_status
from longtake.cli.session import Farewell, attend
from longtake.cli.submit import detach
from longtake.contracts.pipeline import Pipeline
from longtake.contracts.result import JobSummary, State
from longtake.errors import InvalidJob, JobNotFound, LongtakeError, error_class
from longtake.kinds import KINDS
from longtake.paths import name_of
from longtake.pipelines.document import document_of

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.handle import JobHandle

JobId = Annotated[str, typer.Argument(help="The job's id.", metavar="ID")]

CANCEL_WITHIN_S = 30.0


def status(job_id: JobId, as_json: Json = False) -> None:
    """Show a job: how far it is, or what came of it."""

    async def show(longtake: Longtake, _: Farewell) -> None:
        report_status(await longtake.get(job_id), as_json=as_json)

    attend(show)


def watch(job_id: JobId, as_json: Json = False) -> None:
    """Follow a job until it is over, then report its result."""

    async def rejoin(longtake: Longtake, farewell: Farewell) -> None:
        await _follow(longtake, longtake.handle(job_id), farewell, as_json=as_json)

    attend(rejoin)


Kind = Annotated[str | None, typer.Option(help="Only jobs of this kind.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's jobs.")]
ErrorType = Annotated[
    str | None, typer.Option("--error", help="Only jobs that failed by this.", metavar="TYPE")
]
Since = Annotated[
    str | None,
    typer.Option(help="Only jobs that began or ended since: 2d, or a date.", metavar="WHEN"),
]
Parent = Annotated[
    str | None, typer.Option("--of", help="The jobs that this job runs.", metavar="ID")
]


def list_(
    state: Annotated[State | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Kind = None,
    tenant: Tenant = None,
    error: ErrorType = None,
    since: Since = None,
    parent: Parent = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first. Jobs that another job runs are listed with `--of` alone."""
    moment = values.since(since, datetime.now().astimezone())
    known_error(error)
    _known_kind(kind)

    async def show(longtake: Longtake, _: Farewell) -> None:
        found = await longtake.list(
            state=state,
            kind=kind,
            tenant=tenant,
            error=error,
            since=moment,
            parent=parent,
            limit=limit + 1,
        )
        jobs = found[:limit]
        if as_json:
            print_json([job.model_dump(mode="json") for job in jobs])
        elif jobs and out.is_terminal:
            out.print(_table(jobs))
        elif jobs:
            for row in (_HEADINGS, *map(_cells, jobs)):
                typer.echo("\t".join(row))
        else:
            say("no jobs" if parent else "no jobs; those that a batch or a pipeline runs: --of JOB")
        if len(found) > limit:
            say(f"there are more: `--limit` shows more than {limit}")

    attend(show)


def cancel(
    job_id: JobId,
    reason: Annotated[str, typer.Option(help="Why; for the record.")] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Cancel a job. It leaves no half output."""

    async def stop(longtake: Longtake, farewell: Farewell) -> None:
        await longtake.cancel(job_id, reason)
        farewell.words = (f"job {job_id} will still be cancelled",)
        ended = not no_wait and await _ended(longtake, job_id)
        if not ended:
            say(f"job {job_id} will be cancelled as soon as a worker answers")
        await _confirm(longtake, job_id, as_json=as_json)

    attend(stop)


def pause(job_id: JobId, as_json: Json = False) -> None:
    """Pause a job: its running steps stop and begin again when it is resumed."""

    async def hold(longtake: Longtake, _: Farewell) -> None:
        await longtake.pause(job_id)
        await _confirm(longtake, job_id, as_json=as_json)
        say(f"`longtake resume {job_id}` lets it go on")

    attend(hold)


def resume(job_id: JobId, as_json: Json = False) -> None:
    """Let a paused job go on."""

    async def go_on(longtake: Longtake, _: Farewell) -> None:
        await longtake.resume(job_id)
        await _confirm(longtake, job_id, as_json=as_json)

    attend(go_on)


def prioritize(
    job_id: JobId,
    priority: Annotated[int, typer.Argument(help="1 runs first, 5 last.", metavar="N")],
    as_json: Json = False,
) -> None:
    """Give what a job has not yet started another priority."""

    async def change(longtake: Longtake, _: Farewell) -> None:
        await longtake.set_priority(job_id, priority)
        await _confirm(longtake, job_id, as_json=as_json)

    attend(change)


def approve(
    job_id: JobId,
    step: Annotated[str, typer.Argument(help="Step that waits.", metavar="STEP")],
    as_json: Json = False,
) -> None:
    """Let a step of a pipeline that waits for approval begin."""

    async def let_through(longtake: Longtake, _: Farewell) -> None:
        await longtake.approve(job_id, step)
        await _confirm(longtake, job_id, as_json=as_json)

    attend(let_through)


def retry(
    job_ids: Annotated[
        list[str] | None, typer.Argument(help="The jobs' ids.", metavar="ID…")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All failed jobs, or those told by:")
    ] = False,
    error: ErrorType = None,
    kind: Kind = None,
    tenant: Tenant = None,
    since: Since = None,
    parent: Parent = None,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Run failed or canceled jobs once more: only what is missing is done.

    One job is followed to its end; several are only started.
    """
    moment = values.since(since, datetime.now().astimezone())
    known_error(error)
    _known_kind(kind)
    chosen = [error, kind, tenant, since, parent]
    if every == bool(job_ids) or (not every and any(chosen)):
        raise InvalidJob(
            "name the jobs, or say --all (with --error, --kind, --tenant, --since, --of)"
        )

    async def again(longtake: Longtake, farewell: Farewell) -> None:
        if job_ids and len(job_ids) == 1:
            handle = await longtake.retry(job_ids[0])
            if no_wait:
                await detach(handle, as_json=as_json)
            else:
                await _follow(longtake, handle, farewell, as_json=as_json)
            return
        failed = (
            await longtake.list(
                state="failed",
                kind=kind,
                tenant=tenant,
                error=error,
                since=moment,
                parent=parent,
                limit=10_000,
            )
            if every
            else ()
        )
        names = job_ids or [job.job_id for job in failed]
        await _retry_all(longtake, names, as_json=as_json)

    attend(again)


async def _follow(
    longtake: Longtake, handle: JobHandle, farewell: Farewell, *, as_json: bool
) -> None:
    """Follow a job, of a pipeline all steps, and report its result."""
    steps = None
    with contextlib.suppress(InvalidJob, JobNotFound):  # a job of another version, or none
        job = await longtake.job(handle.id)
        steps = steps_display(document_of(job)) if isinstance(job, Pipeline) else None
    report(await follow(handle, farewell, as_json=as_json, steps=steps), as_json=as_json)


async def _retry_all(longtake: Longtake, names: list[str], *, as_json: bool) -> None:
    told: list[dict[str, object]] = []
    for name in names:
        try:
            await longtake.retry(name)
            told.append({"job_id": name, "state": "queued"})
            say(f"job {name} runs once more")
        except LongtakeError as error:
            told.append(
                {"job_id": name, "error": {"type": type(error).__name__, "message": str(error)}}
            )
            say(str(error))
    if as_json:
        print_json(told)
    elif not names:
        say("no failed jobs; a batch or a pipeline is tried again as a whole: longtake retry JOB")
    if any("error" in each for each in told):
        raise typer.Exit(1)


def known_error(name: str | None) -> None:
    """Raises InvalidJob for a name that no error of Longtake has."""
    if name is not None and error_class(name) is LongtakeError and name != "LongtakeError":
        raise InvalidJob(
            f"there is no error {name!r}; docs/jobs.md lists them, such as InputCorrupt"
        )


def _known_kind(name: str | None) -> None:
    if name is not None and name not in KINDS:
        raise InvalidJob(f"there is no job of kind {name!r}; use one of: {', '.join(KINDS)}")


async def _ended(longtake: Longtake, job_id: str) -> bool:
    begun = datetime.now(UTC)
    async for progress in longtake.progress(job_id):
        if progress.state in ("succeeded", "failed", "canceled"):
            return True
        if (datetime.now(UTC) - begun).total_seconds() > CANCEL_WITHIN_S:
            break
    return False


async def _confirm(longtake: Longtake, job_id: str, *, as_json: bool) -> None:
    state = (await longtake.get(job_id)).state
    if as_json:
        print_json({"job_id": job_id, "state": state})
    else:
        say(f"job {job_id} is {state}")


_HEADINGS = ("JOB", "STATE", "STAGE", "PRESET", "INPUT", "OUTPUT", "STARTED", "ERROR")


def _cells(job: JobSummary) -> tuple[str, ...]:
    places = (name_of(uri) if uri else "" for uri in (job.input, job.output))
    error = f"{job.error.type}: {' '.join(job.error.message.split())}" if job.error else ""
    words = (job.job_id, job.state, job.stage, job.preset, *places, _ago(job.started_at), error)
    return tuple(word or "" for word in words)


def _table(jobs: tuple[JobSummary, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(_HEADINGS[0], no_wrap=True, overflow="fold")
    for heading in _HEADINGS[1:]:
        table.add_column(heading, no_wrap=heading == "ERROR", overflow="ellipsis")
    for job in jobs:
        table.add_row(*map(_plain, _cells(job)))
    return table


def _plain(text: str) -> str:
    # Rich reads [brackets] as markup, and file names have them.
    return text.replace("[", "\\[")


def _ago(started_at: str | None) -> str:
    if not started_at:
        return ""
    age = datetime.now(UTC) - datetime.fromisoformat(started_at)
    return f"{duration(max(0.0, age.total_seconds()))} ago" if age.days < 1 else started_at[:10]
