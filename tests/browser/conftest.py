"""One browser for the tests of a module, and the players of packages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import MISSING, browsing, find_chromium
from tests.browser.players import scripts

pytest.register_assert_rewrite("tests.browser.streaming")


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
    """The file of a player, by the way of playing."""
    assert pytestconfig.cache is not None
    return scripts(pytestconfig.cache.mkdir("players"))
