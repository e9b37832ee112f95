"""The list of jobs: Temporal's own, and the index for those that Temporal forgot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from temporalio.client import Client

from longtake.contracts.result import JobSummary, State
from longtake.errors import JobNotFound
from longtake.index import JobIndex
from longtake.kinds import KINDS
from longtake.outcome import outcome
from longtake.places import places
from longtake.runs import Run, find_run, list_runs, own_jobs, with_job

AT_ONCE = 100
"""Jobs that Temporal is asked for in one question; one page of its answer."""

# The stage tells a paused job from a running one, and one cancelled by a signal from a failed one.
_STATUSES: dict[State, str] = {
    "queued": "'Running'",
    "running": "'Running'",
    "paused": "'Running'",
    "succeeded": "'Completed'",
    "failed": "'Failed', 'TimedOut'",
    "canceled": "'Canceled', 'Terminated', 'Failed'",
}


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are wanted; None is any."""

    state: State | None = None
    kind: str | None = None
    tenant: str | None = None
    error: str | None = None
    """Type of what a job failed by."""
    since: datetime | None = None
    """When it was started or ended at the earliest."""
    parent: str | None = None
    """The job that runs the wanted ones; None: those that run by themselves."""

    def takes(self, job: JobSummary) -> bool:
        """Is this job one of them, as far as its summary tells? It may lack the error."""
        wanted = ((self.state, job.state), (self.kind, job.kind), (self.tenant, job.tenant))
        same = all(asked is None or asked == has for asked, has in wanted)
        return same and job.parent == self.parent and self._is_recent(job)

    def _is_recent(self, job: JobSummary) -> bool:
        moments = [datetime.fromisoformat(at) for at in (job.started_at, job.closed_at) if at]
        return self.since is None or any(moment >= self.since for moment in moments)

    def query(self) -> str:
        """The same for Temporal, as far as Temporal can tell."""
        terms = [own_jobs()]
        if self.state:
            terms.append(f"ExecutionStatus IN ({_STATUSES[self.state]})")
        if self.kind:
            terms.append(f"WorkflowType = {quoted(self.kind.capitalize())}")
        if self.tenant and self.tenant != "default":  # who starts a job may not name the default
            terms.append(f"LongtakeTenant = {quoted(self.tenant)}")
        if self.error:
            terms.append(f"LongtakeError = {quoted(self.error)}")
        if self.since:
            at = quoted(self.since.astimezone(UTC).isoformat().replace("+00:00", "Z"))
            terms.append(f"(StartTime >= {at} OR CloseTime >= {at})")
        whose = f"= {quoted(self.parent)}" if self.parent else "IS NULL"
        terms.append(f"ParentWorkflowId {whose}")
        return " AND ".join(terms)


async def list_jobs(
    client: Client, index: JobIndex | None, wanted: JobFilter, limit: int
) -> tuple[JobSummary, ...]:
    """Jobs, the newest first; of one id, the latest run. Raises ServiceUnreachable."""
    found: dict[str, JobSummary] = {}
    await _take(found, _known(client, wanted), limit)
    shown = _newest_first(found.values())[:limit]
    # What began before all of a full list would not be shown, and what began in the same second as
    # its last need not be: of a burst that would be hundreds to ask for.
    began = shown[-1].started_at if shown and len(shown) == limit else None
    since = datetime.fromisoformat(began) if began else None
    await _take(found, _forgotten(client, index, wanted, found, since), limit)
    listed = _newest_first(found.values())[:limit]
    told: list[JobSummary] = []
    for first in range(0, len(listed), AT_ONCE):
        some = listed[first : first + AT_ONCE]
        told += await asyncio.gather(*(_with_error(client, index, job) for job in some))
    return tuple(told)


async def _take(found: dict[str, JobSummary], jobs: AsyncIterator[JobSummary], limit: int) -> None:
    """Add the first jobs that are not there, so many."""
    taken = 0
    async for job in jobs:
        taken += job.job_id not in found
        found.setdefault(job.job_id, job)
        if taken >= limit:
            return


def _newest_first(jobs: Iterable[JobSummary]) -> list[JobSummary]:
    return sorted(jobs, key=lambda job: job.started_at or "", reverse=True)


def summarize(run: Run) -> JobSummary:
    """A run in one line."""
    job = run.memo.get("job") or run.memo.get("brief")
    asked = job if isinstance(job, dict) else {}
    contract = KINDS.get(run.kind)
    reads, writes = (contract.READS, contract.WRITES) if contract else ((), ())
    return JobSummary(
        job_id=run.job_id,
        kind=run.kind,
        state=run.state,
        tenant=run.attributes.get("LongtakeTenant", "default"),
        labels=_labels(asked),
        preset=run.attributes.get("LongtakePreset"),
        stage=run.stage if run.is_open else None,
        input=_place(asked, reads),
        output=_place(asked, writes),
        parent=run.parent,
        started_at=_iso(run.started_at),
        closed_at=_iso(run.closed_at),
    )


async def _with_error(client: Client, index: JobIndex | None, job: JobSummary) -> JobSummary:
    """Temporal's list does not say why a job failed; the index does, and of a job that is not
    there, for it never began or ended elsewhere, the run's own end."""
    if job.error or job.state not in ("failed", "canceled"):
        return job
    record = index.read(job.job_id) if index else None
    if record is not None and record.summary.state == job.state:
        return job.model_copy(update={"error": record.error or record.summary.error})
    run = await find_run(client, job.job_id)
    if run is None or run.state != job.state:
        return job
    result = await outcome(client, run.job_id, run.run_id)
    return job.model_copy(update={"error": result.error})


async def _known(client: Client, wanted: JobFilter) -> AsyncIterator[JobSummary]:
    async for run in list_runs(client, wanted.query()):
        if not wanted.takes(summarize(run)):
            continue
        latest = await find_run(client, run.job_id) if wanted.state or wanted.error else run
        if latest and latest.run_id == run.run_id:
            yield summarize(await _with_places(client, run))


async def _with_places(client: Client, run: Run) -> Run:
    """The run, with what it was asked to do: in the memo, unless Temporal alone started it."""
    if run.memo.keys() & {"job", "brief"}:
        return run
    with suppress(JobNotFound):  # it was deleted a moment ago
        return await with_job(client, run)
    return run


async def _forgotten(
    client: Client,
    index: JobIndex | None,
    wanted: JobFilter,
    found: Container[str],
    since: datetime | None,
) -> AsyncIterator[JobSummary]:
    noted = _noted(index, wanted, since) if index else iter(())
    unseen = (job for job in noted if job.job_id not in found)
    # Asked for one by one, the jobs of a burst would take seconds.
    while some := list(islice(unseen, AT_ONCE)):
        ids = ", ".join(quoted(job.job_id) for job in some)
        known = {run.job_id async for run in list_runs(client, f"WorkflowId IN ({ids})")}
        for job in some:
            # Temporal's list comes a moment behind its workflows: what it lacks is asked for.
            if job.job_id not in known and not await find_run(client, job.job_id):
                yield job.model_copy(update={"stage": None})


def _noted(index: JobIndex, wanted: JobFilter, since: datetime | None) -> Iterator[JobSummary]:
    """The jobs of the index that are wanted, and began after that second."""
    for record in index.newest_first(since, parts=wanted.parent is not None):
        job = record.summary
        if since and job.started_at and datetime.fromisoformat(job.started_at) <= since:
            continue
        why = record.error or job.error
        if wanted.error and (why is None or why.type != wanted.error):
            continue
        if wanted.takes(job):
            yield job


def quoted(text: str) -> str:
    """A value in a visibility query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _place(asked: Mapping[str, object], fields: tuple[str, ...]) -> str | None:
    """What the first of these fields names first; a document of another version may lack it."""
    return next(places(asked, fields[0]), None) if fields else None


def _labels(asked: Mapping[str, object]) -> dict[str, str]:
    labels = asked.get("labels")
    return (
        {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
