"""Whether what a job made is still there, as it made it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from longtake.contracts.result import JobResult
from longtake.paths import local_path


def outputs_in_place(result: JobResult, closed_at: datetime | None, *, here: bool) -> bool:
    """Are a finished job's outputs still what it made?

    Cheap where nothing was touched since: only a file changed after the job's end is hashed.
    Those that cannot be seen from this host are passed over. `here`: the workers see the files
    that are seen here.
    """
    for output in result.outputs:
        path = local_path(output.uri)
        if path is None or not is_seen(output.uri, here=here):
            continue
        try:
            found = path.stat()
            if found.st_size != output.bytes:
                return False
            untouched = closed_at is not None and found.st_mtime <= closed_at.timestamp()
            if not untouched and _sha256(path) != output.sha256:
                return False
        except OSError:
            return False
    return True


def is_seen(uri: str, *, here: bool) -> bool:
    """Can an output be looked at from this host?"""
    path = local_path(uri)
    return path is not None and (here or path.parent.is_dir())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
