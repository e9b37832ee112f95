"""Objects come to the host once, whole, and as they were pinned, whatever the network does."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from longtake.errors import (
    InputCorrupt,
    InputForbidden,
    InputNotFound,
    InputTooLarge,
    InvalidJob,
    ResourceExhausted,
    StorageUnavailable,
)
from storage import download, s3_client
from storage.address import Address
from storage.cache import FingerprintCache
from storage.download import RANGE_BYTES
from storage.folder_store import FolderStore
from storage.host_cache import HostCache
from storage.s3 import S3Storage
from tests.patience import WAIT_S
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy

DATA = os.urandom(3 * RANGE_BYTES + 12345)
SHA256 = hashlib.sha256(DATA).hexdigest()


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def damage(folder: Path) -> None:
    """As a disk does, in the middle of what the cache has."""
    (kept,) = folder.rglob("*.data")
    with kept.open("r+b") as file:
        file.seek(len(DATA) // 2)
        file.write(b"rotten")


async def in_a_task(storage: S3Storage, uri: str) -> bytes:
    """What a step sees: it pins a source and reads it."""
    source = await storage.fingerprint(uri)
    return (await storage.localize(source)).read_bytes()


async def test_an_object_is_pinned_by_its_content_and_fetched_once(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("films/a film ü?.mov", DATA)
    source = await s3.fingerprint(uri)
    assert (source.bytes, source.sha256) == (len(DATA), SHA256)
    for _ in range(3):
        assert (await s3.localize(source)).read_bytes() == DATA
    spans = [asked.span for asked in proxy.of("GET", "films")]
    assert len(spans) == len(set(spans)) == 4


async def test_a_small_secret_is_read_and_kept_nowhere(
    s3: S3Storage, box: Bucket, tmp_path: Path
) -> None:
    uri = box.put("keys/film.key", b"0123456789abcdef")
    assert await s3.read_small(uri, 16) == b"0123456789abcdef"
    assert bytes_below(tmp_path) == 0
    with pytest.raises(InputTooLarge, match="more than 15 bytes"):
        await s3.read_small(uri, 15)
    with pytest.raises(InputNotFound, match=r"gone\.key"):
        await s3.read_small(f"s3://{box.name}/gone.key", 16)


async def test_a_look_tells_a_replaced_object_and_reads_nothing(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("film.mov", b"the first cut")
    source = await s3.fingerprint(uri)
    read = len(proxy.of("GET", "film"))
    assert await s3.is_unchanged(uri, source.version)
    box.put("film.mov", b"the final cut")
    assert not await s3.is_unchanged(uri, source.version)
    assert len(proxy.of("GET", "film")) == read
    box.s3.delete_object(Bucket=box.name, Key="film.mov")
    with pytest.raises(InputNotFound):
        await s3.is_unchanged(uri, source.version)


async def test_the_same_object_is_hashed_once_though_it_left_the_cache(
    s3: S3Storage, cache: HostCache, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("in.mov", DATA)
    assert (await asyncio.ensure_future(s3.fingerprint(uri))).sha256 == SHA256
    await asyncio.sleep(0)
    assert cache.sweep(-1) == (1, len(DATA))
    before = len(proxy.of("GET"))
    assert (await s3.fingerprint(uri)).sha256 == SHA256
    assert len(proxy.of("GET")) == before


async def test_what_is_no_longer_as_it_came_is_fetched_anew(
    s3: S3Storage, cache: HostCache, box: Bucket, proxy: FaultyProxy, tmp_path: Path
) -> None:
    uri = box.put("in.mov", DATA)
    assert await asyncio.ensure_future(in_a_task(s3, uri)) == DATA
    damage(tmp_path)
    before = len(proxy.of("GET"))
    another_process = HostCache(tmp_path / "cache", 1 << 30, FingerprintCache(tmp_path / "cache"))
    assert await in_a_task(S3Storage(another_process, FolderStore(tmp_path / "work")), uri) == DATA
    assert len(proxy.of("GET")) > before


@pytest.mark.parametrize("fault", ["503", "reset", "truncate", "slow"])
async def test_a_bad_network_costs_time_and_no_byte(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, fault: Fault
) -> None:
    uri = box.put("in.mov", DATA)
    turns = itertools.count()
    proxy.faults = lambda method, _: fault if method == "GET" and next(turns) % 2 == 0 else None
    assert await in_a_task(s3, uri) == DATA
    assert any(asked.fault == fault for asked in proxy.asked)
    assert sum(asked.gave for asked in proxy.of("GET", "in.mov")) == len(DATA)


async def test_finished_ranges_outlive_a_failed_download(
    s3: S3Storage,
    box: Bucket,
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    monkeypatch.setattr(s3_client, "TRIES", 1)
    uri = box.put("in.mov", DATA)
    proxy.faults = three_ranges_come()
    with pytest.raises(StorageUnavailable):
        await s3.fingerprint(uri)
    whole = {asked.span for asked in proxy.of("GET") if asked.gave}
    assert len(whole) == 3
    # The failure may stop ranges that have come and are not yet noted.
    noted = ranges_noted(tmp_path)
    proxy.faults = lambda *_: None
    before = len(proxy.asked)
    assert await in_a_task(s3, uri) == DATA
    again = {asked.span for asked in proxy.asked[before:] if asked.method == "GET"}
    assert len(again) == len(whole) + 1 - noted


def ranges_noted(folder: Path) -> int:
    """How many ranges of a file in the making are whole, by the notes below `folder`."""
    return sum(len(note.read_bytes().splitlines()) - 1 for note in folder.rglob("*.ranges"))


def three_ranges_come() -> Callable[[str, str], Fault | None]:
    turns = itertools.count()
    return lambda method, _: "503" if method == "GET" and next(turns) >= 3 else None


_READER = """
import asyncio, os, sys
from pathlib import Path
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.s3 import S3Storage
from storage.folder_store import FolderStore

async def read(folder, uri):
    cache = HostCache(folder / "cache", 1 << 30, FingerprintCache(folder / "cache"))
    storage = S3Storage(cache, FolderStore(folder / "work"))
    print((await storage.fingerprint(uri)).sha256)

asyncio.run(read(Path(sys.argv[1]), sys.argv[2]))
"""


def reader(folder: Path, uri: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _READER, str(folder), uri], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_share_one_download(tmp_path: Path, box: Bucket, proxy: FaultyProxy) -> None:
    uri = box.put("in.mov", DATA)
    proxy.faults = lambda method, _: "slow" if method == "GET" else None
    readers = [reader(tmp_path, uri) for _ in range(2)]
    assert {each.communicate(timeout=WAIT_S)[0].strip() for each in readers} == {SHA256}
    spans = [asked.span for asked in proxy.of("GET", "in.mov")]
    assert len(spans) == len(set(spans)) == 4


def test_a_killed_download_goes_on_where_it_was(
    tmp_path: Path, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("in.mov", DATA)
    proxy.faults = three_ranges_come()
    killed = reader(tmp_path, uri)
    note = tmp_path / "cache" / "sources"
    for _ in range(1200):
        notes = list(note.glob("*.ranges"))
        if notes and len(notes[0].read_bytes().splitlines()) == 4:
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    proxy.faults = lambda *_: None
    before = len(proxy.asked)
    assert reader(tmp_path, uri).communicate(timeout=WAIT_S)[0].strip() == SHA256
    assert len([asked for asked in proxy.asked[before:] if asked.method == "GET"]) == 1


async def test_a_source_replaced_while_the_job_runs_fails_with_words(
    s3: S3Storage, box: Bucket
) -> None:
    source = await s3.fingerprint(box.put("in.mov", b"one" * 1000))
    box.put("in.mov", b"two" * 1000)
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await s3.localize(source)
    box.s3.delete_object(Bucket=box.name, Key="in.mov")
    with pytest.raises(InputNotFound, match="removed while the job ran"):
        await s3.localize(source)


async def test_a_source_replaced_while_it_is_fetched_fails_with_words(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("in.mov", DATA)

    def replace(method: str, _: str) -> None:
        if method == "GET" and not proxy.of("GET"):
            box.put("in.mov", DATA[::-1])

    proxy.faults = replace
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await s3.fingerprint(uri)


async def test_the_least_recently_used_leave_and_what_is_read_stays(
    tmp_path: Path, box: Bucket, proxy: FaultyProxy
) -> None:
    size = 1 << 20
    cache = HostCache(tmp_path / "cache", 3 * size, FingerprintCache(tmp_path / "cache"))
    storage = S3Storage(cache, FolderStore(tmp_path / "work"))
    uris = [box.put(f"{n}.mov", os.urandom(size)) for n in range(6)]
    held = await storage.localize(await storage.fingerprint(uris[0]))
    for uri in uris[1:]:
        await asyncio.ensure_future(in_a_task(storage, uri))
    await asyncio.sleep(0)
    assert held.read_bytes() == box.get("0.mov")
    left = list((tmp_path / "cache" / "sources").glob("*.data"))
    assert held in left
    assert sum(path.stat().st_size for path in left) <= 3 * size
    before = len(proxy.of("GET"))
    await asyncio.ensure_future(in_a_task(storage, uris[-1]))
    assert len(proxy.of("GET")) == before
    await asyncio.ensure_future(in_a_task(storage, uris[1]))
    assert len(proxy.of("GET")) == before + 1


async def test_a_full_disk_is_said_before_anything_is_fetched(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 0))
    with pytest.raises(ResourceExhausted, match="no space left"):
        await s3.fingerprint(box.put("in.mov", b"x" * 1000))
    assert not proxy.of("GET")


async def test_what_is_not_there_is_told_with_the_endpoint(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    with pytest.raises(InputNotFound, match=proxy.url):
        await s3.fingerprint(f"s3://{box.name}/none.mov")
    with pytest.raises(InputNotFound):
        await s3.fingerprint("s3://no-such-bucket/none.mov")
    with pytest.raises(InvalidJob, match=r"write s3://bucket/path/file\.mp4"):
        await s3.fingerprint("s3://bucket")


async def test_an_endpoint_that_is_not_there_is_tried_again(
    s3: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    s3_client.client.cache_clear()
    with pytest.raises(StorageUnavailable, match="AWS_ENDPOINT_URL"):
        await s3.fingerprint("s3://bucket/in.mov")


async def test_missing_credentials_say_what_to_set(
    s3: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3_client.client.cache_clear()
    with pytest.raises(InputForbidden, match="AWS_ACCESS_KEY_ID"):
        await s3.fingerprint("s3://bucket/in.mov")


def test_a_key_is_what_stands_in_the_uri() -> None:
    assert Address.of("s3://b/a b/c%20d?e#f.mp4") == Address("b", "a b/c%20d?e#f.mp4")


async def test_a_cancelled_download_ends_soon_and_keeps_what_it_has(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("in.mov", DATA)
    turns = itertools.count()
    proxy.faults = lambda method, _: "slow" if method == "GET" and next(turns) == 0 else None
    step = asyncio.ensure_future(s3.fingerprint(uri))
    while sum(asked.fault is None for asked in proxy.of("GET")) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    before = len(proxy.of("GET"))
    assert await in_a_task(s3, uri) == DATA
    assert len(proxy.of("GET")) - before < 4
