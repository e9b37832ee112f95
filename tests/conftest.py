"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.dev_server import temporal_server
from tests.patience import WAIT_S

# A slow machine is no failure: no test is timed.
settings.register_profile("longtake", deadline=None)
settings.load_profile("longtake")


def pytest_configure() -> None:
    """Told to end, as by `timeout`, a run still stops the servers that its fixtures started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two test processes a core: they mostly wait, for servers, heartbeats and leases."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, the longest files come first.

    xdist would begin with the files that have the most tests, and end with those that have few and
    long ones: then some processes wait for the last kill, and the cores with them. `make test`
    tells it to keep this order (`--no-loadscope-reorder`).
    """
    if not hasattr(config, "workerinput"):
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(
        key=lambda item: (item.path not in slow, item.path.parent.name != "e2e", -tests[item.path])
    )


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    """A Temporal server for all tests that need no more of it than a namespace."""
    with temporal_server() as address:
        yield address


CORPUS = Path(os.environ.get("LONGTAKE_TEST_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


def corpus_files(*suffixes: str) -> list[Path]:
    """Files of the media corpus beside the checkout; none where there is no corpus."""
    return sorted(path for path in CORPUS.glob("*") if path.suffix in suffixes)


@pytest.fixture
def corpus() -> Path:
    """The media corpus; the test is skipped where there is none."""
    if not CORPUS.is_dir():
        pytest.skip("no media corpus beside the checkout")
    return CORPUS


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases from the field, made by their own script; skipped where it is not there."""
    script = CORPUS.parent / "cases" / "make.sh"
    if not script.is_file():
        pytest.skip("no cases beside the checkout")
    folder = tmp_path_factory.mktemp("cases")
    environment = os.environ | {"PYTHON": sys.executable}
    subprocess.run(["bash", script, folder], check=True, timeout=WAIT_S, env=environment)
    return folder
