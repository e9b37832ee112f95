"""Parts of an object come when they are asked for, once each; the whole takes them over."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from longtake.errors import InputCorrupt
from storage.host_cache import LEAST_BYTES, HostCache
from storage.portions import AHEAD, BLOCK_BYTES, Portions
from storage.s3 import S3Storage
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.remote_file import RemoteFile, portions_of

SIZE = LEAST_BYTES + 54_321
DATA = os.urandom(SIZE)


@pytest.fixture
def remote(tmp_path: Path) -> RemoteFile:
    path = tmp_path / "object"
    path.write_bytes(DATA)
    return RemoteFile(path)


def read(portions: Portions, start: int, end: int) -> bytes:
    portions.provide(start, end)
    with portions.path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def test_what_is_asked_for_comes_and_little_else(remote: RemoteFile, tmp_path: Path) -> None:
    portions = portions_of(remote, tmp_path / "host")
    for start, end in ((SIZE - 10, SIZE), (5_000_000, 5_300_000), (5_100_000, 5_200_000)):
        assert read(portions, start, end) == DATA[start:end]
    assert remote.gave <= 4 * BLOCK_BYTES
    for start in range(8_000_000, 12_000_000, 50_000):
        assert read(portions, start, start + 50_000) == DATA[start : start + 50_000]
    assert remote.gave <= 4_000_000 + (5 + AHEAD) * BLOCK_BYTES
    assert remote.gave == portions.bytes_here() + SIZE % BLOCK_BYTES - BLOCK_BYTES


def test_readers_side_by_side_fetch_each_block_once(remote: RemoteFile, tmp_path: Path) -> None:
    portions = portions_of(remote, tmp_path / "host")
    begin = threading.Barrier(8)

    def all_of_it(_: int) -> bytes:
        begin.wait()
        pieces = range(0, SIZE, 300_000)
        return b"".join(read(portions, at, min(SIZE, at + 300_000)) for at in pieces)

    with ThreadPoolExecutor(8) as pool:
        assert all(data == DATA for data in pool.map(all_of_it, range(8)))
    assert remote.gave == SIZE


def test_a_block_that_could_not_be_had_is_asked_for_again(
    remote: RemoteFile, tmp_path: Path
) -> None:
    portions = portions_of(remote, tmp_path / "host")
    remote.refuses = InputCorrupt("it changed")
    with pytest.raises(InputCorrupt):
        portions.provide(0, 10)
    assert portions.bytes_here() == 0
    remote.refuses = None
    assert read(portions, 0, 10) == DATA[:10]


async def in_a_task(cache: HostCache, remote: RemoteFile) -> Portions | None:
    return await asyncio.ensure_future(cache.portions(remote))


async def test_what_came_in_portions_is_not_fetched_again_with_the_whole(
    cache: HostCache, remote: RemoteFile
) -> None:
    portions = await in_a_task(cache, remote)
    assert portions is not None
    await asyncio.to_thread(read, portions, 1_000_000, 6_000_000)
    held = await asyncio.ensure_future(cache.hold(remote))
    assert held.path.read_bytes() == DATA
    assert held.sha256 == hashlib.sha256(DATA).hexdigest()
    assert remote.gave == SIZE
    assert await in_a_task(cache, remote) is None, "the whole is here"
    assert not portions.path.exists()


async def test_of_an_object_that_is_mostly_needed_the_rest_comes_too(
    cache: HostCache, remote: RemoteFile
) -> None:
    portions = await in_a_task(cache, remote)
    assert portions is not None
    await asyncio.to_thread(read, portions, 0, SIZE // 3)
    assert await in_a_task(cache, remote) is portions, "all steps of a host share what came"
    await asyncio.to_thread(read, portions, SIZE // 3, SIZE * 2 // 3)
    assert await in_a_task(cache, remote) is None


async def test_what_knows_no_ranges_or_is_small_comes_whole(
    cache: HostCache, remote: RemoteFile
) -> None:
    remote.ranged = False
    assert await cache.portions(remote) is None
    remote.ranged = True
    await asyncio.to_thread(os.truncate, remote.whole, LEAST_BYTES - 1)
    assert await cache.portions(remote) is None


async def test_portions_in_use_stay_and_others_make_room(
    cache: HostCache, remote: RemoteFile
) -> None:
    used = asyncio.Event()

    async def use() -> bytes:
        portions = await cache.portions(remote)
        assert portions is not None
        lent.set_result(portions.path)
        await used.wait()
        return await asyncio.to_thread(read, portions, 7, 9)

    lent: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
    using = asyncio.ensure_future(use())
    path = await lent
    cache.sweep(-10)
    assert path.exists()
    used.set()
    assert await using == DATA[7:9]
    cache.sweep(-10)
    assert not path.exists()
    assert not list(path.parent.glob("*.blocks"))


async def borrowed(s3: S3Storage, box: Bucket) -> Portions:
    """An object that another host pinned and this one has nothing of."""
    uri = box.put("film.mov", DATA)
    pinned = await asyncio.ensure_future(s3.fingerprint(uri))
    await asyncio.sleep(0)  # the task that held it lets go
    assert s3._cache.sweep(-10)[0] == 1
    portions = await asyncio.ensure_future(s3.borrow(pinned))
    assert isinstance(portions, Portions)
    return portions


async def test_portions_of_a_bucket_come_through_a_bad_network(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    portions = await borrowed(s3, box)
    proxy.asked.clear()
    kinds: list[Fault | None] = ["503", "reset", "truncate", None]
    faults = itertools.cycle(kinds)
    proxy.faults = lambda *_: next(faults)
    read_now = await asyncio.to_thread(read, portions, 3_000_000, 5_000_000)
    assert read_now == DATA[3_000_000:5_000_000]
    assert sum(asked.gave for asked in proxy.of("GET")) <= 2_000_000 + 3 * BLOCK_BYTES


async def test_portions_of_an_object_that_was_replaced_fail_with_words(
    s3: S3Storage, box: Bucket
) -> None:
    portions = await borrowed(s3, box)
    assert await asyncio.to_thread(read, portions, 0, 10) == DATA[:10]
    box.put("film.mov", DATA[::-1])
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await asyncio.to_thread(read, portions, 9_000_000, 9_000_010)
