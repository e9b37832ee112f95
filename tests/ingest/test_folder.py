from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from longtake.ingest import folder
from longtake.ingest.events import Arrived
from longtake.ingest.folder import watch
from tests.patience import WAIT_S


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LOOK_EVERY_S", 0.05)


async def collect(found: list[Arrived], path: Path, settled_s: float) -> None:
    async for each in watch(path, settled_s):
        found.append(each)  # noqa: PERF401 seen while it goes on


async def until(found: list[Arrived], count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0.02)


async def test_files_are_told_once_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "there.mov").write_bytes(b"was there before")
    for name in (".hidden.mov", "copy.mov.part", "empty.mov"):
        (tmp_path / name).write_bytes(b"" if name == "empty.mov" else b"x")
    found: list[Arrived] = []
    task = asyncio.create_task(collect(found, tmp_path, 1.0))
    await until(found, 1)
    growing = tmp_path / "deep" / "growing.mov"
    for number in range(20):  # for two seconds: longer than what counts as settled
        with growing.open("ab") as file:
            file.write(b"x" * (number + 1))
        await asyncio.sleep(0.1)
        assert len(found) == 1, "a file that is still written is left alone"
    await until(found, 2)
    assert [(each.uri, each.bytes) for each in found] == [
        (str(tmp_path / "there.mov"), 16),
        (str(growing), 210),
    ]
    (tmp_path / "there.mov").write_bytes(b"another take")
    await until(found, 3)
    assert found[2].bytes == 12
    growing.unlink()
    growing.write_bytes(b"back again")
    await until(found, 4)
    task.cancel()
