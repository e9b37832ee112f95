"""What presets for the web make is played by a real browser, and seeks to the right frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.chromium import Player, new_player
from tests.browser.counted import HERTZ, RATE, SECONDS, counted
from tests.media.engine import transcode

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FRAME = 1 / RATE

FILMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "h264": ("web.mp4", 'video/mp4; codecs="avc1.640028,mp4a.40.2"', {"preset": "web-720p"}),
    "h264 main": ("small.mp4", 'video/mp4; codecs="avc1.4d401f,mp4a.40.2"', {"preset": "web-480p"}),
    "hevc": ("hevc.mp4", 'video/mp4; codecs="hvc1.1.6.L93.B0"', {"preset": "hevc-1080p"}),
    "av1": ("av1.mp4", 'video/mp4; codecs="av01.0.05M.08,opus"', {"preset": "av1-1080p"}),
    "av1 webm": ("av1.webm", 'video/webm; codecs="av01.0.05M.08,opus"', {"preset": "av1-1080p"}),
    "vp9": ("vp9.webm", 'video/webm; codecs="vp9,opus"', {"preset": "webm-vp9"}),
}
"""The output's name, what a browser must decode for it, and the job."""

SOUNDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mp3": ("sound.mp3", "audio/mpeg", {"preset": "audio-mp3"}),
    "aac": ("sound.m4a", 'audio/mp4; codecs="mp4a.40.2"', {"preset": "audio-aac"}),
    "opus": ("sound.opus", 'audio/ogg; codecs="opus"', {"preset": "audio-opus"}),
    "flac": ("sound.flac", "audio/flac", {"preset": "audio-flac"}),
    "wav": ("sound.wav", "audio/wav", {"preset": "audio-wav"}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return counted(tmp_path_factory.mktemp("source") / "counted.mkv")


async def skip_unless_decoded(player: Player, mime: str) -> None:
    if not await player.decodes(mime):
        pytest.skip(f"this Chromium has no decoder for {mime}")


@pytest.mark.parametrize("name", FILMS)
async def test_a_film_plays_to_its_end_and_seeks_to_the_right_frame(
    name: str, browser: Browser, source: Path, tmp_path: Path
) -> None:
    file, mime, job = FILMS[name]
    async with new_player(browser, tmp_path) as player:
        await skip_unless_decoded(player, mime)
        made = await transcode(source, tmp_path / file, chunk_s=1, **job)
        assert len(made.chunks) == SECONDS, "joins are played, too"
        opened = await player.open(file)
        assert opened.duration_s == pytest.approx(SECONDS, abs=FRAME)
        assert (opened.width, opened.height) == (320, 180)
        for wanted in (74, 1, 24, 25, 26, 49, 50, 10, 0):  # back and forth, and around the joins
            assert await player.seek((wanted + 0.5) * FRAME) == wanted
        played = await player.play_through()
    assert played.end_s == pytest.approx(SECONDS, abs=FRAME)
    assert played.hertz == pytest.approx(HERTZ, abs=15)
    assert played.loudest_db > -40


async def test_a_clip_begins_with_its_own_first_frame(
    browser: Browser, source: Path, tmp_path: Path
) -> None:
    async with new_player(browser, tmp_path) as player:
        await skip_unless_decoded(player, FILMS["h264"][1])
        await transcode(source, tmp_path / "clip.mp4", preset="web-720p", start=0.52, end=2.52)
        opened = await player.open("clip.mp4")
        assert opened.duration_s == pytest.approx(2, abs=FRAME)
        for place in (0, 1, 25, 49):
            assert await player.seek((place + 0.5) * FRAME) == 13 + place


@pytest.mark.parametrize("name", SOUNDS)
async def test_sound_plays_to_its_end(
    name: str, browser: Browser, source: Path, tmp_path: Path
) -> None:
    file, mime, job = SOUNDS[name]
    async with new_player(browser, tmp_path) as player:
        await skip_unless_decoded(player, mime)
        await transcode(source, tmp_path / file, **job)
        opened = await player.open(file)
        assert opened.duration_s == pytest.approx(SECONDS, abs=0.06), "MP3 ends on a whole frame"
        await player.seek(1)
        played = await player.play_through()
    assert played.end_s == pytest.approx(opened.duration_s, abs=0.06)
    assert played.hertz == pytest.approx(HERTZ, abs=15)
    assert played.loudest_db > -40
