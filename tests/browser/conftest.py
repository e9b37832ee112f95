"""One browser for the tests of a module, and the players of packages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import MISSING, browsing, find_chromium
from tests.browser.shaka import fetch_shaka

pytest.register_assert_rewrite("tests.browser.streaming")

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A running Chromium; the tests are skipped where the system has none."""
    executable = find_chromium()
    if executable is None:
        pytest.skip(MISSING)
    async with browsing(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def script_of(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """The file of a player, by the way of playing (`streaming.WAYS`): hls.js as it travels with
    Longtake; a test of Shaka Player is skipped where npm cannot bring it."""
    cache = pytestconfig.cache
    assert cache is not None
    folder = cache.mkdir("players")

    def script(way: str) -> Path:
        if way == "hls.js":
            return ROOT / "longtake" / "player" / "hls.min.js"
        shaka = fetch_shaka(folder)
        if shaka is None:
            pytest.skip("no Shaka Player here: npm is missing, or has no registry")
        return shaka

    return script
