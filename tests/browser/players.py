"""The files of the players."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.shaka import fetch_shaka

ROOT = Path(__file__).parents[2]


def scripts(folder: Path) -> Callable[[str], Path]:
    """By the way of playing (`streaming.WAYS`): hls.js as it travels with Longtake, and Shaka
    Player, kept in `folder`. Who asks for one that npm cannot bring is skipped."""

    def script(way: str) -> Path:
        if way == "hls.js":
            return ROOT / "longtake" / "player" / "hls.min.js"
        shaka = fetch_shaka(folder)
        if shaka is None:
            pytest.skip("no Shaka Player here: npm is missing, or has no registry")
        return shaka

    return script
