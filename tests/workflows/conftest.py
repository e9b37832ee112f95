"""A Temporal server for each test, and a home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.place import place
from tests.dev_server import dev_server
from workers.connection import CONVERTER


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with dev_server(data_converter=CONVERTER) as client:
        yield client


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the steps that do not pretend keep what they keep."""
    home = tmp_path / "home"
    monkeypatch.setenv("LONGTAKE_HOME", str(home))
    place.cache_clear()
    yield home
    place.cache_clear()
