"""The index of jobs that outlives Temporal's retention: one JSON file a job."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from longtake.contracts.steps.common import JobRecord

_LONGEST_NAME = 180  # file systems take 255 bytes; the temporary name is longer


class JobIndex:
    """Finished jobs in a folder. Any number of processes may read and write at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: JobRecord) -> None:
        """Keep a record, in the place of an earlier one of the same job. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(record.summary.job_id)
        # A name of its own, for two attempts of one activity may write at the same time.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            draft.write_text(record.model_dump_json(), encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def read(self, job_id: str) -> JobRecord | None:
        """The record of a job; None if there is none, or none that can be read."""
        record = _read(self._path(job_id))
        return record if record and record.summary.job_id == job_id else None

    def newest_first(self) -> Iterator[JobRecord]:
        """All records, the last written first. Damaged files are passed over."""
        for path in sorted(self._folder.glob("*.json"), key=_written_at, reverse=True):
            record = _read(path)
            if record:
                yield record

    def _path(self, job_id: str) -> Path:
        name = quote(job_id, safe="")
        if len(name) > _LONGEST_NAME:
            name = f"{name[:120]}-{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"
        return self._folder / f"{name}.json"


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
