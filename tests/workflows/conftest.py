"""A namespace of a Temporal server for each test, and a home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.place import place
from tests.dev_server import namespace
from workers.connection import CONVERTER


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await namespace(temporal_address, data_converter=CONVERTER)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the steps that do not pretend keep what they keep."""
    home = tmp_path / "home"
    monkeypatch.setenv("LONGTAKE_HOME", str(home))
    place.cache_clear()
    yield home
    place.cache_clear()
