"""A real Chromium, without a window, that plays what a folder holds, served on the loopback.

async with browsing() as browser:
    with serving(folder) as address:
        player = await open_media(browser, address, "film.mp4")
        played = await player.play_through()
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import flask
from playwright.async_api import Browser, Page, async_playwright
from werkzeug.serving import make_server

from tests.browser.counted import BARS, number

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
MISSING = "no Chromium here: apt-get install chromium (Debian), or install Google Chrome"

_ARGUMENTS = [
    "--autoplay-policy=no-user-gesture-required",
    # Containers give /dev/shm 64 MB, and a page that outgrows it dies.
    "--disable-dev-shm-usage",
]

# Everything waits for events of the element, never for a time, so a slow machine only takes longer.
_SCRIPT = """
const media = document.getElementById("media");
const happens = (name) => new Promise((done, failed) => {
  media.addEventListener(name, done, {once: true});
  media.addEventListener("error", () => failed(new Error(media.error.message)), {once: true});
});

// "seeked" may come before the picture: only this callback says that one is on the screen.
const shows = () => new Promise((done) => media.requestVideoFrameCallback(done));

async function open(source) {
  const [loaded, shown] = [happens("loadeddata"), shows()];
  media.src = source;
  await loaded;
  if (media.videoWidth) await shown;
  return {duration_s: media.duration, width: media.videoWidth || 0, height: media.videoHeight || 0};
}

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", {willReadFrequently: true});

// How light the bars are, in the middle of the upper and of the lower half of the picture.
function bars() {
  [canvas.width, canvas.height] = [media.videoWidth, media.videoHeight];
  context.drawImage(media, 0, 0);
  return [0.25, 0.75].map((part) => {
    const row = context.getImageData(0, Math.floor(canvas.height * part), canvas.width, 1).data;
    const place = (bar) => Math.floor((bar + 0.5) * canvas.width / BARS);
    return Array.from({length: BARS}, (_, bar) => row[4 * place(bar)]);
  });
}

async function seek(seconds) {
  const [there, shown] = [happens("seeked"), shows()];
  media.currentTime = seconds;
  await there;
  if (!media.videoWidth) return null;
  await shown;
  return bars();
}

async function play() {
  const ear = new AudioContext();
  const analyser = new AnalyserNode(ear, {fftSize: 4096, smoothingTimeConstant: 0});
  ear.createMediaElementSource(media).connect(analyser).connect(ear.destination);
  await ear.resume();
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  let [loudest_db, hertz] = [-200, 0];
  const listening = setInterval(() => {
    analyser.getFloatFrequencyData(spectrum);
    spectrum.forEach((level, bin) => {
      if (level > loudest_db) {
        [loudest_db, hertz] = [level, bin * ear.sampleRate / analyser.fftSize];
      }
    });
  }, 50);
  const ended = happens("ended");
  await media.play();
  await ended;
  clearInterval(listening);
  return {end_s: media.currentTime, loudest_db, hertz};
}
"""

_PAGE = f"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<video id="media" preload="auto" playsinline></video>
<script>const BARS = {BARS};{_SCRIPT}</script>"""


@dataclass(frozen=True)
class Played:
    """Where the clock stood at the end, and the loudest tone that was heard (dB of full scale)."""

    end_s: float
    loudest_db: float
    hertz: float


@dataclass(frozen=True)
class Opened:
    """What the browser says of a file; the size is that of the picture as it is shown."""

    duration_s: float
    width: int
    height: int


@dataclass(frozen=True)
class Player:
    """A page with one media element. Everything fails when the browser cannot play the file."""

    page: Page

    async def decodes(self, mime: str) -> bool:
        """Whether this build of the browser has the decoders for a MIME type with codecs."""
        return bool(await self.page.evaluate("(mime) => media.canPlayType(mime)", mime))

    async def open(self, name: str) -> Opened:
        """Load a file of the folder, up to its first picture."""
        return Opened(**await self.page.evaluate("(name) => open(name)", name))

    async def seek(self, seconds: float) -> int | None:
        """The number of the other picture at `seconds`; None if it tells none, and for sound."""
        bars = await self.page.evaluate("(seconds) => seek(seconds)", seconds)
        return None if bars is None else number(*bars)

    async def play_through(self) -> Played:
        """Play from where it stands to the end."""
        return Played(**await self.page.evaluate("() => play()"))


def find_chromium() -> str | None:
    """The Chromium or Chrome of this system."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return found or (str(_MAC) if _MAC.exists() else None)


@asynccontextmanager
async def browsing(executable: str) -> AsyncIterator[Browser]:
    """A running browser; it ends with the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        await browser.close()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, ranges too, and the player's page; yields the address."""
    app = flask.Flask("player", static_folder=None)
    app.add_url_rule("/", view_func=lambda: _PAGE, endpoint="page")
    app.add_url_rule(
        "/<path:name>",
        view_func=lambda name: flask.send_from_directory(folder, name, conditional=True),
        endpoint="file",
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join()


@asynccontextmanager
async def new_player(browser: Browser, folder: Path) -> AsyncIterator[Player]:
    """A player for the files of a folder."""
    with serving(folder) as address:
        page = await browser.new_page()
        await page.goto(address)
        yield Player(page)
        await page.close()
