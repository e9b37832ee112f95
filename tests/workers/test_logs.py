"""Logs that several processes append to."""

from __future__ import annotations

from pathlib import Path

from workers.logs import bound


def test_a_log_beyond_its_limit_is_set_aside_under_its_writers(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with log.open("a") as writer:
        writer.write("old " * 100)
        writer.flush()
        bound(log, limit=1000)
        assert log.read_text() == "old " * 100, "not beyond the limit"
        bound(log, limit=100)
        writer.write("new")
    assert log.read_text() == "new"
    assert (tmp_path / "service.log.1").read_text() == "old " * 100


def test_no_log_is_no_problem(tmp_path: Path) -> None:
    bound(tmp_path / "none.log")
