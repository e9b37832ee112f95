"""A package appears whole, its manifests last; killed, it goes on; cancelled, nothing is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import OutputConflict, StorageUnavailable
from storage import trees
from storage.tree import ENTRIES
from tests.e2e.service import until
from tests.storage.published import CHANGES, LAST, RED, Place, digest
from tests.storage.trees import (
    Interrupted,
    attempts_in,
    package,
    sha256,
)


async def test_whoever_sees_a_manifest_sees_all_that_it_names(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "SIDE_BY_SIDE", 16)
    files, over = package("red", 40), threading.Event()
    torn: list[set[str]] = []
    looks: set[int] = set()

    def look() -> None:
        while not over.is_set():
            seen = place.names()
            looks.add(len(seen))
            if {"manifest.mpd", "master.m3u8"} & seen:
                torn.append(files.keys() - seen - {"master.m3u8"})

    with ThreadPoolExecutor(1) as watching:
        watched = watching.submit(look)
        try:
            outputs = await place.attempts.publish(files)
        finally:
            over.set()
        watched.result()
    assert not any(torn)
    assert len(looks) > 2, "it was looked at in the middle"
    assert place.files() == files
    assert [(output.role, output.uri.rpartition("/")[2]) for output in outputs] == [
        ("hls", "master.m3u8"),
        ("dash", "manifest.mpd"),
        ("listing", "package.json"),
    ]
    assert all(output.sha256 == sha256(files[Path(output.uri).name]) for output in outputs)
    assert place.is_settled()


@pytest.mark.parametrize("before", [0, 3, CHANGES - 2, LAST])
async def test_an_attempt_that_fails_anywhere_is_gone_on_with(place: Place, before: int) -> None:
    with pytest.raises(Interrupted):
        await place.attempts.dying(before).publish(RED)
    there = place.files()
    assert len(there) == before
    assert not set(ENTRIES) & there.keys() or before > CHANGES - 3
    await place.attempts.publish(RED)
    assert digest(place.files()) == digest(RED)
    assert place.is_settled()


@pytest.mark.kill
@pytest.mark.parametrize("before", [3, LAST])
async def test_a_killed_attempt_is_gone_on_with_and_what_is_there_stays(
    place: Place, before: int
) -> None:
    place.kill("red", before)
    assert len(place.shown()) == before
    written = place.writings()
    await place.attempts.publish(RED)
    assert digest(place.files()) == digest(RED)
    assert written.items() <= place.writings().items(), "written again"
    assert place.is_settled()


@pytest.mark.kill
@pytest.mark.parametrize("before", [3, LAST])
async def test_killed_and_cancelled_nothing_is_left(place: Place, before: int) -> None:
    place.put("readme.txt", b"somebody else's")
    place.kill("red", before)
    await place.attempts.discard("another job")
    assert len(place.shown()) == 1 + before
    await place.attempts.discard()
    assert place.files() == {"readme.txt": b"somebody else's"}
    assert place.is_settled()


async def test_the_folder_that_was_made_goes_too(place: Place) -> None:
    with pytest.raises(Interrupted):
        await place.attempts.dying(3).publish(RED)
    await place.attempts.discard()
    assert place.files() == {}
    assert not (place.scratch / "out").exists()


async def test_an_error_ends_all_that_has_not_begun(place: Place) -> None:
    files = package("red", 300)
    place.put(sorted(files)[1], b"somebody else's, in a folder that is named by its content")
    with pytest.raises(OutputConflict, match="is there already"):
        await place.attempts.publish(files)
    assert len(place.names()) < 10


async def test_a_file_that_vanishes_meanwhile_keeps_the_manifests_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = min(RED)
    sizes = place.attempts.folder.sizes

    def after_a_stranger(_: Any, names: Iterable[str]) -> dict[str, int]:
        if first in place.names():
            place.remove(first)
        return sizes(names)

    monkeypatch.setattr(type(place.attempts.folder), "sizes", after_a_stranger)
    with pytest.raises(StorageUnavailable, match="vanished"):
        await place.attempts.publish(RED)
    assert not set(ENTRIES) & place.files().keys()
    monkeypatch.undo()
    await place.attempts.publish(RED)
    assert place.files() == RED


async def test_a_stop_ends_it_with_nothing_on_its_way(place: Place) -> None:
    publication = await place.attempts.attempt(package("red", 300), "job")
    await publication.begin()
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(publication.fill, stop)
        until(lambda: len(place.names()) >= 3, 60, "some files")
        stop.set()
        with pytest.raises(StorageUnavailable, match="stopped"):
            filling.result()
    assert len(place.names()) < 100, "it went on"
    await place.attempts.discard()
    assert place.files() == {}


def test_a_folder_that_is_a_link_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    attempts = attempts_in(tmp_path, None)
    folder = next(name.split("/")[0] for name in RED if name.startswith("h264"))
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputConflict, match="a link that leads out"):
        asyncio.run(attempts.publish(RED))
    assert list((tmp_path / "elsewhere").iterdir()) == []
