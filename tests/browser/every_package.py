"""Every package that the tests of a module made, played by real players.

play_every_package(service.out, pytestconfig)
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import webvtt
from playwright.async_api import Browser

from longtake.contracts.package import Listing
from media.package.plan import SHORT_S
from tests.browser.chromium import MISSING, browsing, find_chromium
from tests.browser.players import scripts
from tests.browser.streaming import Cue, Way, play_in_short

PLAYERS: tuple[Way, ...] = ("hls.js", "shaka dash")
TURNS = 3
SIDE_BY_SIDE = 3
"""Packages that are played at once: most of the time a player waits for the clock."""


def play_every_package(root: Path, config: pytest.Config) -> None:
    """Each package below `root` but those that are encrypted, which no player opens without its
    key. Fails as `play_in_short` does; skips where there is no browser."""
    executable = find_chromium()
    if executable is None:
        pytest.skip(MISSING)
    assert config.cache is not None
    folders = list(_packages(root))
    assert folders, "nothing was packaged"
    asyncio.run(_play(executable, folders, scripts(config.cache.mkdir("players"))))


def _packages(root: Path) -> Iterator[Path]:
    """One of each: what two jobs made alike is the same."""
    known = set()
    for path in sorted(root.rglob("package.json")):
        listing = path.read_bytes()
        if listing not in known and not json.loads(listing).get("encryption"):
            known.add(listing)
            yield path.parent


def _players(listing: Listing) -> tuple[Way, ...]:
    """hls.js shows nothing of what is this short, as the job's warning says."""
    length_s = max(each.duration_s for each in listing.renditions)
    return PLAYERS if length_s >= SHORT_S else ("shaka hls", "shaka dash")


def _captions(folder: Path, listing: Listing) -> dict[str, Cue]:
    """The first caption of each language."""
    found: dict[str, Cue] = {}
    for each in listing.renditions:
        language = each.language or "und"
        if each.kind == "captions" and language not in found:
            paths = sorted((folder / each.folder).glob("*.vtt"))
            cue = next(cue for path in paths for cue in webvtt.read(str(path)).captions)
            line = html.unescape(cue.text.splitlines()[0])
            found[language] = Cue(cue.start_in_seconds, cue.end_in_seconds, line)
    return found


async def _play(executable: str, folders: list[Path], script: Callable[[str], Path]) -> None:
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    listed = [
        (folder, Listing.model_validate_json((folder / "package.json").read_bytes()))
        for folder in folders
    ]
    scripts = {way: script(way) for _, listing in listed for way in _players(listing)}
    async with browsing(executable) as browser, asyncio.TaskGroup() as plays:
        for folder, listing in listed:
            plays.create_task(_play_package(browser, folder, listing, scripts, room))


async def _play_package(
    browser: Browser,
    folder: Path,
    listing: Listing,
    scripts: Mapping[Way, Path],
    room: asyncio.Semaphore,
) -> None:
    captions = _captions(folder, listing)
    async with room:
        for way in _players(listing):
            await _play_calmly(browser, folder, way, scripts[way], captions)


async def _play_calmly(
    browser: Browser, folder: Path, way: Way, script: Path, captions: Mapping[str, Cue]
) -> None:
    """A fault of the package shows each time; that a busy machine is late does not."""
    for turn in range(TURNS):
        try:
            await play_in_short(browser, folder, way, script=script, captions=captions)
        except (Exception, AssertionError) as error:
            if turn == TURNS - 1:
                raise AssertionError(f"{folder.name} by {way}: {error}") from error
        else:
            return
