"""A setting that means nothing is refused in words as a worker starts: later it would fail jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longtake.cli import checks
from tests.patience import WAIT_S

SENSELESS = pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LONGTAKE_CACHE_SIZE", "50 gigs"),
        ("LONGTAKE_HTTP_MAX_SIZE", "much"),
        ("LONGTAKE_HTTP_ALLOW", "media.example"),
        ("LONGTAKE_WEBHOOK_ALLOW", "media.example:http"),
        ("LONGTAKE_DRAIN_GRACE", "a minute"),
    ],
)


@SENSELESS
@pytest.mark.parametrize("module", ["workers", "workers.embedded"])
def test_no_worker_starts_with_it(module: str, name: str, value: str, tmp_path: Path) -> None:
    options = ["--role", "io", "--address", "127.0.0.1:1"] if module == "workers" else []
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        env=os.environ | {"LONGTAKE_HOME": str(tmp_path / "home"), name: value},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 1
    assert name in done.stderr
    assert value in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


@SENSELESS
def test_doctor_tells_of_it(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    found = {check.name: check for check in checks.host_checks(needs_engine=False)}
    assert not found["settings"].ok
    assert name in found["settings"].detail
