"""Plays a package as people do, and looks at what they see: by hls.js, and by Shaka Player.

played = await play_and_check(browser, folder, "hls.js", frames=300, rate=Fraction(25))

The source of the package is a film of `counted.py`: every frame carries its number.
"""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, Route

from tests.browser.chromium import serving
from tests.browser.counted import BARS, number
from tests.patience import WAIT_S

Way = Literal["hls.js", "shaka hls", "shaka dash"]
"""The player, and which of the two manifests it reads."""
WAYS: tuple[Way, ...] = ("hls.js", "shaka hls", "shaka dash")

_SCRIPT = Path(__file__).with_name("streaming.js")
_STYLE = """
.shaka-text-container { position: absolute; top: 0; color: white }
.undrawn .shaka-text-container { visibility: hidden }
"""
_SOUND_S = 0.05
"""AAC ends on a whole frame of 1024 samples."""


@dataclass(frozen=True)
class Cue:
    """A caption, in seconds."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Keys:
    """What opens an encrypted package: `clear` by key id, both in hex, which the page hands to
    Shaka Player; `served` by the address that stands in the manifests: a key of 16 bytes for
    whoever gets it, and for whoever posts a request of Clear Key, the keys of `licensed`."""

    clear: Mapping[str, str] = field(default_factory=dict)
    served: Mapping[str, bytes] = field(default_factory=dict)
    licensed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rung:
    """A rung as the player lists it."""

    id: int
    width: int
    height: int
    codec: str
    bps: int


@dataclass(frozen=True)
class Played:
    """What was there, and what was shown while it played to its end, each a rung's id."""

    rungs: tuple[Rung, ...]
    languages: tuple[str, ...]
    shown: tuple[int, ...]


async def play_and_check(
    browser: Browser,
    folder: Path,
    way: Way,
    *,
    script: Path,
    frames: int,
    rate: Fraction,
    captions: Mapping[str, Sequence[Cue]] = {},
    keys: Keys = Keys(),
    speed: float = 3,
    numbers: Sequence[int] = (),
) -> Played:
    """Play a package to its end; `script` is the player's own file. `numbers`: what its `frames`
    show, where some are held; else each its own.

    Fails unless every rung shows the right frame after each seek, every cue is read at its time
    and at no other, it starts, goes on after seeks and rung switches and ends without a stall, and
    neither the player nor the browser complains or asks for anything that is not there.
    """
    manifest = "manifest.mpd" if way == "shaka dash" else "master.m3u8"
    numbers = numbers or range(frames)
    opening = (way, manifest, dict(keys.clear))
    # Each language on a page of its own, on from the start: see `start` in streaming.js.
    for language, cues in captions.items():
        async with _page(browser, folder, script, keys) as (page, complaints):
            opened = await _call(page, "start", *opening, language)
            assert language in opened["languages"]
            await _check_captions(page, cues, rate)
            await _check_calm(page, complaints)
    async with _page(browser, folder, script, keys) as (page, complaints):
        opened = await _call(page, "start", *opening, [*captions, None][0])
        rungs = tuple(Rung(**rung) for rung in opened["rungs"])
        assert opened["duration_s"] == _about(frames, rate)
        read = _read_screen if keys.clear or keys.licensed else _read_canvas
        await _check_rungs(page, rungs, numbers, rate, read)
        for part in (0.6, 0.1, 0.35):
            await _call(page, "jump", part * float(frames / rate))
        shown = await _play_through(page, frames, rate, speed, read)
        if await read(page) != numbers[-1]:
            # A busy browser that plays fast leaves out frames, and the last ones, too.
            last_s = float((frames - Fraction(1, 2)) / rate)
            await _call(page, "seek", last_s, float(1 / rate))
        assert await read(page) == numbers[-1]
        await _check_calm(page, complaints)
    return Played(rungs, tuple(opened["languages"]), shown)


async def play_in_short(
    browser: Browser, folder: Path, way: Way, *, script: Path, captions: Mapping[str, Cue]
) -> None:
    """Start a package of any film, show every rung, seek to three places, and play it from shortly
    before its end; `captions`: one of each language.

    Fails unless each rung and each caption is shown, it goes on after each seek and ends without a
    stall, and neither the player nor the browser complains or asks for anything that is not there.
    """
    manifest = "manifest.mpd" if way == "shaka dash" else "master.m3u8"
    for language, cue in captions.items():
        async with _page(browser, folder, script, Keys()) as (page, complaints):
            await _call(page, "start", way, manifest, {}, language)
            await _call(page, "stand", (cue.start_s + cue.end_s) / 2)
            await _call(page, "captioned")
            assert cue.text in "\n".join(await page.evaluate("player.captions()"))
            await _check_calm(page, complaints)
    async with _page(browser, folder, script, Keys()) as (page, complaints):
        opened = await _call(page, "start", way, manifest, {}, [*captions, None][0])
        length_s = opened["duration_s"]
        await _call(page, "stand", min(0.1, length_s / 2))  # a picture may begin after 0
        for rung in opened["rungs"]:
            if rung["width"]:
                await _call(page, "chooseNow", rung)
        if length_s > 3:
            for part in (0.6, 0.1, 0.35):
                await _call(page, "jump", part * length_s)
            await _call(page, "jump", length_s - 1.5)
        assert await _call(page, "finish", 2) == pytest.approx(length_s, abs=0.2)
        await _check_calm(page, complaints)


async def _check_rungs(
    page: Page, rungs: Sequence[Rung], numbers: Sequence[int], rate: Fraction, read: _Read
) -> None:
    frames = len(numbers)
    await _call(page, "player.drawCaptions", False)
    for turn, rung in enumerate(rungs):
        await _call(page, "chooseNow", vars(rung))
        # Back and forth; the first frame, the last, and others for each rung.
        places = (frames - 1, 0, (frames // 2 + 31 * turn) % frames)
        for place in places:
            wanted_s = float((place + Fraction(1, 2)) / rate)
            seen = await _call(page, "seek", wanted_s, float(1 / rate))
            assert (seen["width"], seen["height"]) == (rung.width, rung.height)
            assert await read(page) == numbers[place], f"{rung}: frame {place} at {wanted_s} s"
    await _call(page, "player.drawCaptions", True)


async def _check_captions(page: Page, cues: Sequence[Cue], rate: Fraction) -> None:
    frame_s = float(1 / rate)
    for cue in reversed(cues):
        # Early in it and late, and so on both sides of the edge between two segments; but not on
        # the edge itself, as Shaka Player 5.2.12 may show a segment's cues a millisecond late.
        for part in (0.3, 0.7):
            await _call(page, "seek", cue.start_s + part * (cue.end_s - cue.start_s), frame_s)
            await _call(page, "captioned")
            assert await page.evaluate("player.captions()") == [cue.text]
        with_text = await page.locator("#media").screenshot()
        await _call(page, "player.drawCaptions", False)
        assert await page.locator("#media").screenshot() != with_text, "the cue is drawn"
        await _call(page, "player.drawCaptions", True)
    for before, after in itertools.pairwise(cues):
        if before.end_s < after.start_s:
            await _call(page, "seek", (before.end_s + after.start_s) / 2, frame_s)
            assert await page.evaluate("player.captions()") == []


async def _check_calm(page: Page, complaints: Sequence[str]) -> None:
    assert not await page.evaluate("[...troubles, ...waits]")
    assert await page.evaluate("player.stalls()") == 0
    assert not complaints


async def _play_through(
    page: Page, frames: int, rate: Fraction, speed: float, read: _Read
) -> tuple[int, ...]:
    played = await _call(page, "playThrough", speed, float(1 / rate))
    assert played["end_s"] == _about(frames, rate)
    if read is _read_canvas:
        numbers = [number(*bars) for bars in played["frames"]]
        known = [each for each in numbers if each is not None]
        assert known == numbers, "every frame is a frame of the source"
        assert known == sorted(known), "none comes too early or too late where rungs join"
    await _call(page, "player.drawCaptions", False)
    return tuple(played["shown"])


async def _read_canvas(page: Page) -> int | None:
    """The number of the frame that is shown."""
    return number(*await page.evaluate("bars()"))


async def _read_screen(page: Page) -> int | None:
    """The same, from a screenshot: a canvas gets no picture of a film that was encrypted."""
    shot = Image.open(io.BytesIO(await page.locator("#media").screenshot())).convert("L")
    places = [int((bar + 0.5) * shot.width / BARS) for bar in range(BARS)]
    rows = (int(shot.height * part) for part in (0.25, 0.75))
    return number(*([int(shot.getpixel((x, y))) for x in places] for y in rows))  # type: ignore[arg-type]


_Read = Callable[[Page], Awaitable[int | None]]


def _about(frames: int, rate: Fraction) -> Any:
    """The film's length in seconds; sound may end a little later, on a frame of its own."""
    return pytest.approx(float(frames / rate), abs=_SOUND_S)


async def _call(page: Page, function: str, *arguments: object) -> Any:
    try:
        async with asyncio.timeout(WAIT_S):
            return await page.evaluate(f"(given) => {function}(...given)", list(arguments))
    except TimeoutError:
        pytest.fail(f"{function}{arguments} does not end: {await page.evaluate('state()')}")


def _giving(key: bytes, keys: Keys) -> Callable[[Route], Awaitable[None]]:
    async def give(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": "*"}
        if route.request.method == "GET":
            await route.fulfill(body=key, headers=headers)
            return
        asked = [_hex(kid) for kid in (route.request.post_data_json or {})["kids"]]
        found = [
            {"kty": "oct", "kid": _base64(kid), "k": _base64(keys.licensed[kid])} for kid in asked
        ]
        await route.fulfill(json={"keys": found, "type": "temporary"}, headers=headers)

    return give


def _base64(digits: str) -> str:
    """As JSON Web Keys write bytes (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).decode().rstrip("=")


def _hex(text: str) -> str:
    return base64.urlsafe_b64decode(f"{text}==").hex()


@asynccontextmanager
async def _page(
    browser: Browser, folder: Path, script: Path, keys: Keys
) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page with a player's script, and what browser and server complain of."""
    complaints: list[str] = []
    with serving(folder) as address:

        def asked(request: Request) -> None:
            if not request.url.startswith((address, "blob:", "data:", *keys.served)):
                complaints.append(f"asks for {request.url}")

        def answered(response: Response) -> None:
            if response.status >= 400:
                complaints.append(f"{response.status} {response.url}")

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        page = await browser.new_page()
        page.on("request", asked)
        page.on("response", answered)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        for uri, key in keys.served.items():
            await page.route(uri, _giving(key, keys))
        await page.goto(address)
        await page.add_style_tag(content=_STYLE)
        for path in (script, _SCRIPT):
            await page.add_script_tag(path=path)
        yield page, complaints
        await page.close()
