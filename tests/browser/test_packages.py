"""Packages are played by real players in a real browser: what is shown is the right frame."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.made_package import (
    CBCS,
    CUES,
    KEY,
    KEY_ID,
    KEY_URI,
    SECONDS,
    SIZES,
    make_package,
)
from tests.browser.streaming import WAYS, Keys, Way, play_and_check

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RATES = ("25", "30000/1001")


@pytest.fixture(scope="module", params=RATES)
def rate(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def package(rate: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("made"), rate)


@pytest.mark.parametrize("way", WAYS)
async def test_a_package_plays_to_its_end_and_shows_the_right_frames(
    way: Way, rate: str, package: Path, browser: Browser, script_of: Callable[[str], Path]
) -> None:
    played = await play_and_check(
        browser,
        package,
        way,
        script=script_of(way),
        frames=round(SECONDS * Fraction(rate)),
        rate=Fraction(rate),
        captions={"en": CUES},
    )
    assert {f"{rung.width}x{rung.height}" for rung in played.rungs} == set(SIZES)
    assert set(played.shown) == {rung.id for rung in played.rungs}, "switched while it played"


@pytest.mark.parametrize("way", ["shaka hls", "shaka dash"])
async def test_an_encrypted_package_plays_with_its_key(
    way: Way, tmp_path: Path, browser: Browser, script_of: Callable[[str], Path]
) -> None:
    played = await play_and_check(
        browser,
        make_package(tmp_path, "25", *CBCS),
        way,
        script=script_of(way),
        frames=25 * SECONDS,
        rate=Fraction(25),
        captions={"en": CUES},
        keys=Keys(clear={KEY_ID: KEY}, served={KEY_URI: bytes.fromhex(KEY)}),
    )
    assert len(played.rungs) == len(SIZES)
