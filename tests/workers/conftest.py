"""Real services in folders of their own; whatever happens, none outlives the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longtake import service
from longtake.settings import Home
from tests.workers.family import Family

ELSEWHERE = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY")


@pytest.fixture(autouse=True)
def _no_other_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "no-profile.toml"))
    monkeypatch.setenv("LONGTAKE_DRAIN_GRACE", "5")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home of its own, where nothing runs yet."""
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path / "home"))
    home = Home.from_environment()
    yield home
    Family(home).kill()


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    yield home
    Family(home).kill()


@pytest.fixture
def shared(_shared: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that tests share: whatever one of them kills, the next one finds running again."""
    monkeypatch.setenv("LONGTAKE_HOME", str(_shared.path))
    return _shared


@pytest.fixture
async def running(shared: Home) -> service.Endpoint:
    """The shared home's service, ready."""
    return await service.resolve()


@pytest.fixture
def family(shared: Home) -> Family:
    """Its processes."""
    return Family(shared)
