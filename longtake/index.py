"""The index of jobs that outlives Temporal's retention: one JSON file a job."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from longtake.contracts.steps.common import JobRecord

PARTS = "parts"
"""Jobs that others run lie apart: a batch has thousands, and lists pass over them."""
_LONGEST_NAME = 180  # file systems take 255 bytes; the temporary name is longer


class JobIndex:
    """Finished jobs in a folder. Any number of processes may read and write at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: JobRecord) -> None:
        """Keep a record, in the place of an earlier one of the same job. Raises OSError."""
        path, other = self._paths(record.summary.job_id)
        if record.summary.parent:
            path, other = other, path
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # signed links stand there
        path.parent.mkdir(exist_ok=True)
        # A name of its own, for two attempts of one activity may write at the same time.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            draft.write_text(record.model_dump_json(), encoding="utf-8")
            draft.replace(path)
            other.unlink(missing_ok=True)  # of an earlier run, which another job ran, or none
        finally:
            draft.unlink(missing_ok=True)

    def read(self, job_id: str) -> JobRecord | None:
        """The record of a job; None if there is none, or none that can be read."""
        records = map(_read, self._paths(job_id))
        return next((each for each in records if each and each.summary.job_id == job_id), None)

    def newest_first(
        self, since: datetime | None = None, *, parts: bool = False
    ) -> Iterator[JobRecord]:
        """All records, or those written since then, the last first. Damaged files are passed over.

        A record is written when its job ends: what was written before, began before, too. `parts`:
        those of jobs that others run, in place of all others.
        """
        least_ns = since.timestamp() * 1e9 if since else 0
        folder = self._folder / PARTS if parts else self._folder
        for path in sorted(folder.glob("*.json"), key=_written_at, reverse=True):
            if _written_at(path) < least_ns:
                return
            record = _read(path)
            if record:
                yield record

    def _paths(self, job_id: str) -> tuple[Path, Path]:
        """Where a job's record lies: one that runs by itself, and one that another job runs."""
        name = quote(job_id, safe="")
        if len(name) > _LONGEST_NAME:
            name = f"{name[:120]}-{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"
        return self._folder / f"{name}.json", self._folder / PARTS / f"{name}.json"


def _read(path: Path) -> JobRecord | None:
    try:
        return JobRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # removed meanwhile
