"""`longtake play`: what it says, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.patience import WAIT_S


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "talk"
    folder.mkdir()
    (folder / "master.m3u8").write_text("#EXTM3U\n")
    return folder


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=WAIT_S) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_play_prints_its_address_and_ends_well(
    ending: signal.Signals, alone: Command, package: Path
) -> None:
    play = await alone.start("play", str(package), "--no-open")
    assert play.stdout is not None
    address = (await asyncio.wait_for(play.stdout.readline(), WAIT_S)).decode().strip()
    assert address.startswith("http://127.0.0.1:")
    assert b"<video" in await asyncio.to_thread(fetched, address)
    assert await asyncio.to_thread(fetched, f"{address}package/master.m3u8") == b"#EXTM3U\n"
    play.send_signal(ending)
    assert await asyncio.wait_for(play.wait(), WAIT_S) == 0
    assert not (alone.folder / "home").exists(), "it needs no service"


async def test_what_is_no_package_is_told(alone: Command, package: Path) -> None:
    for place, words in (
        (str(package.parent), "there is no master.m3u8 in"),
        (str(package / "none"), "there is no master.m3u8 in"),
        (str(package / "master.m3u8"), "name the folder of the package"),
        ("https://example.com/talk", "folders and s3:// prefixes"),
    ):
        done = await alone("play", place, "--no-open")
        assert (done.code, done.out) == (2, "")
        assert words in done.err


async def test_a_port_that_is_taken_is_told(alone: Command, package: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await alone("play", str(package), "--no-open", "--port", str(port))
    assert done.code == 2
    assert f"port {port}" in done.err
