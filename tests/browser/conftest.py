"""One browser for the tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import MISSING, browsing, find_chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A running Chromium; the tests are skipped where the system has none."""
    executable = find_chromium()
    if executable is None:
        pytest.skip(MISSING)
    async with browsing(executable) as browser:
        yield browser
