"""The database through changes of the server's version."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from longtake.errors import CapabilityMissing
from workers.database import COPIES, make_ready


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "temporal.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table jobs (id)")
        connection.execute("insert into jobs values ('kept')")
        connection.commit()
    return path


def _copies(database: Path) -> list[Path]:
    return sorted((database.parent / "copies").glob("*"))


def test_a_newer_server_gets_a_copy_made_with_what_is_still_in_the_write_ahead_log(
    database: Path,
) -> None:
    with contextlib.closing(sqlite3.connect(database)) as writer:
        writer.execute("insert into jobs values ('in the log')")
        writer.commit()
        make_ready(database, "1.29.1", "1.32.0")
    (copy,) = _copies(database)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        jobs = [row[0] for row in connection.execute("select id from jobs")]
    assert jobs == ["kept", "in the log"]


def test_the_same_version_and_a_new_folder_need_no_copy(database: Path, tmp_path: Path) -> None:
    make_ready(database, "1.32.0", "1.32.0")
    make_ready(tmp_path / "none.db", None, "1.32.0")
    assert _copies(database) == []


def test_an_unknown_version_is_copied_too(database: Path) -> None:
    make_ready(database, None, "1.32.0")
    assert _copies(database)[0].name.endswith("-temporal-unknown.db")


def test_the_last_three_copies_are_kept(database: Path) -> None:
    for minor in range(COPIES + 2):
        make_ready(database, f"1.{minor}.0", f"1.{minor + 1}.0")
    assert [path.name.partition("-")[2] for path in _copies(database)] == [
        "temporal-1.2.0.db",
        "temporal-1.3.0.db",
        "temporal-1.4.0.db",
    ]


def test_an_older_server_is_refused_and_touches_nothing(database: Path) -> None:
    before = database.read_bytes()
    # As numbers: as text 1.9 would be the newer one.
    with pytest.raises(CapabilityMissing, match=r"server 1\.32\.0.*1\.9\.4.*LONGTAKE_HOME"):
        make_ready(database, "1.32.0", "1.9.4")
    assert database.read_bytes() == before
    assert _copies(database) == []
