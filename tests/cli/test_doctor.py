from __future__ import annotations

from pathlib import Path

import pytest

from longtake.cli import checks
from tests.cli.conftest import Command


async def test_a_healthy_host_is_told_so(alone: Command) -> None:
    done = await alone("doctor", "--json")
    assert done.code == 0
    assert done.document["ok"] is True
    names = [check["name"] for check in done.document["checks"]]
    assert {
        "engine",
        "sandbox",
        "packager",
        "remote sources",
        "orphans",
        "presets",
        "home",
        "clock",
        "environment",
        "service",
    } <= set(names)
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in done.document["checks"])
    assert not (alone.folder / "home").exists(), "a look changes nothing"


async def test_a_service_without_workers_is_told_with_the_way_out(longtake: Command) -> None:
    done = await longtake("doctor")
    assert done.code == 1
    assert "mend it: longtake worker --role cpu" in done.out
    assert longtake.environment["TEMPORAL_ADDRESS"] in done.out


async def test_a_cluster_that_does_not_answer_is_told(alone: Command) -> None:
    alone.environment["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
    done = await alone("doctor", "--json")
    assert done.code == 1
    (failed,) = [check for check in done.document["checks"] if not check["ok"]]
    assert failed["name"] == "temporal"
    assert failed["fix"]


async def test_a_configuration_without_sense_is_told(alone: Command) -> None:
    alone.environment["TEMPORAL_PROFILE"] = "nobody"
    done = await alone("doctor", "--json")
    assert done.code == 1
    assert "environment" in {check["name"] for check in done.document["checks"] if not check["ok"]}


def test_a_home_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path / "file" / "home"))
    found = {check.name: check for check in checks.host_checks(needs_engine=False)}
    assert not found["home"].ok
    assert "LONGTAKE_HOME" in str(found["home"].fix)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ROOM_BYTES", 1 << 60)
    found = {check.name: check for check in checks.host_checks(needs_engine=False)}
    assert "longtake gc" in str(found["home"].fix)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "s3cret")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "films")
    words = checks.environment_words()
    assert "TEMPORAL_API_KEY" in words
    assert "s3cret" not in words
    assert "TEMPORAL_NAMESPACE=films" in words
