"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
