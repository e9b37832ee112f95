"""The page of `longtake play`, as a person uses it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from longtake.player.files import Folder
from longtake.player.server import PlayerServer
from media.package.renditions import Track
from tests.browser.made_package import CBCS, make_package
from tests.media import package as made
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TILES = 12


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a poster and a storyboard of a picture a second."""
    folder = make_package(tmp_path_factory.mktemp("made"), "25")
    picture = ("-f", "lavfi", "-i", "testsrc2=s=80x45:r=1:d=12", "-frames:v", 1)
    run(*picture, folder / "poster.jpg")
    run(*picture, "-vf", "tile=4x3", folder / "storyboard-01.jpg")
    cues = (
        f"00:00:{tile:02}.000 --> 00:00:{tile + 1:02}.000\n"
        f"storyboard-01.jpg#xywh={tile % 4 * 80},{tile // 4 * 45},80,45\n"
        for tile in range(TILES)
    )
    (folder / "storyboard.vtt").write_text("\n".join(("WEBVTT\n", *cues)))
    return folder


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def shown(
    browser: Browser, package: Path, key: bytes | None = None
) -> AsyncIterator[tuple[Page, list[str]]]:
    """The page, and what it asks of others, is not given, or complains of."""
    server = PlayerServer(Folder(package), "talk", 0, key)
    complaints: list[str] = []
    with serving(server):
        page = await browser.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda asked: complaints.append(asked.url) if is_out(asked.url) else None
        )

        def is_out(url: str) -> bool:
            return not url.startswith((server.address, "blob:", "data:"))

        await page.goto(server.address)
        yield page, complaints
        await page.close()


async def until(page: Page, holds: str) -> None:
    """Playwright's own way of waiting compiles words, which the page's policy forbids."""
    async with asyncio.timeout(WAIT_S):
        while not await page.evaluate(holds):  # noqa: ASYNC110 - the browser tells nobody
            await asyncio.sleep(0.05)


async def test_a_person_looks_at_a_package(browser: Browser, package: Path) -> None:
    async with shown(browser, package) as (page, complaints):
        await until(page, "film.readyState >= 2")
        assert await page.title() == "talk"
        assert "12.000" in await page.inner_text("#time")
        assert (await page.get_attribute("#film", "poster")) == "/package/poster.jpg"

        for size, width in (("160×90", 160), ("320×180", 320)):
            option = page.locator("#quality option", has_text=size)
            await page.select_option("#quality", await option.get_attribute("value"))
            await page.evaluate("film.currentTime = 0; film.play()")
            await until(page, f"film.videoWidth === {width}")
            await until(page, f"document.body.innerText.includes('Shown\\n{size}')")

        await page.select_option("#captions", label="English, en")
        await page.evaluate("film.pause(); film.currentTime = 10")
        await until(
            page,
            "Array.from(film.textTracks).some((track) => track.mode === 'showing'"
            " && track.activeCues[0]?.text === 'three')",
        )

        bar = await page.locator("#strip").bounding_box()
        assert bar is not None
        assert not await page.locator("#thumbnail").is_visible()
        await page.mouse.move(bar["x"] + bar["width"] * 6.5 / TILES, bar["y"] + 5)
        await page.wait_for_selector("#thumbnail", state="visible")
        style = "getComputedStyle(document.getElementById('thumbnail'))"
        assert "storyboard-01.jpg" in await page.evaluate(f"{style}.backgroundImage")
        assert await page.evaluate(f"{style}.backgroundPosition") == "-160px -45px"
        await page.mouse.click(bar["x"] + bar["width"] * 10.5 / TILES, bar["y"] + 5)
        assert await page.evaluate("film.currentTime") == pytest.approx(10.5, abs=0.1)

        await page.evaluate("film.play()")
        await until(page, "film.ended")
        assert await page.inner_text("#troubles") == ""
        assert complaints == []


async def test_no_other_host_is_asked_whatever_a_playlist_names(
    browser: Browser, package: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_OPTIONS = do_GET  # noqa: N815 - a name that http.server calls

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    copy = tmp_path / "package"
    shutil.copytree(package, copy)
    for playlist in copy.glob("*.m3u8"):
        away = f"http://127.0.0.1:{server.server_port}/"
        text = playlist.read_text()
        if playlist.name != "master.m3u8":
            playlist.write_text(text.replace("160x90/", f"{away}160x90/"))
        else:
            playlist.write_text(text.replace("320x180.m3u8", f"{away}320x180.m3u8"))
    with serving(server):
        async with shown(browser, copy) as (page, _):
            await page.wait_for_selector("#troubles li")
            await page.wait_for_timeout(500)
    assert asked == []


async def test_an_encrypted_package_is_told_to_be_one(browser: Browser, tmp_path: Path) -> None:
    folder = make_package(tmp_path, "25", *CBCS)
    async with shown(browser, folder) as (page, _):
        await page.wait_for_selector("#troubles li")
        assert "encrypted" in await page.inner_text("#troubles")


@pytest.mark.parametrize("scheme", ["cbcs", "aes-128"])
async def test_an_encrypted_package_plays_with_its_key(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    tracks = [
        Track(made.picture(tmp_path / "film.mp4"), "film", "video"),
        Track(made.sound(tmp_path / "en.m4a"), "audio-en", "audio", "en"),
    ]
    folder = await made.package(tmp_path / "out", tracks, scheme=scheme)
    async with shown(browser, folder, made.KEY) as (page, complaints):
        await until(page, "film.readyState >= 2")
        await page.evaluate("film.playbackRate = 4; film.play()")
        await until(page, "film.ended")
        assert await page.evaluate("film.currentTime") == pytest.approx(9.5, abs=0.1)
        frames = await page.evaluate("film.getVideoPlaybackQuality().totalVideoFrames")
        assert frames > 100
        assert await page.inner_text("#troubles") == ""
        assert complaints == []


async def test_another_key_opens_nothing(browser: Browser, tmp_path: Path) -> None:
    track = Track(made.picture(tmp_path / "film.mp4"), "film", "video")
    folder = await made.package(tmp_path / "out", [track], scheme="aes-128")
    async with shown(browser, folder, bytes(16)) as (page, _):
        await page.wait_for_selector("#troubles li")
