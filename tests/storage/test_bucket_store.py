"""Parts in a bucket: made once, read by every host, and nothing is undone by whoever comes late."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from longtake.errors import CapabilityMissing, ResourceExhausted, StorageUnavailable
from longtake.settings import Home
from storage import bucket, s3_client, sweep
from storage.bucket_store import BucketStore
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.s3 import S3Storage
from storage.uploads import LEAST_PART_BYTES, SHA256
from storage.work import content_key, name_of
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.test_s3_outputs import BEGIN, COMPLETE, PART, now_and_then, write

SMALL = os.urandom(10_000)
LARGE = os.urandom(LEAST_PART_BYTES + 777)
KEY = content_key("chunk", source="abc", range=[0, 10])
NAME = f"store/objects/{name_of(KEY)}"
PUT = ("PUT", NAME)
AGES = timedelta(days=8)


class Host:
    """A machine: its cache and its drafts, and the bucket that it shares with the others."""

    def __init__(self, folder: Path, box: Bucket) -> None:
        hashes = FingerprintCache(folder / "cache")
        self.cache = HostCache(folder / "cache", 1 << 30, hashes)
        uri = f"s3://{box.name}/store"
        self.store = BucketStore(uri, folder / "cache" / "work", self.cache)
        self.outputs = S3Storage(self.cache, self.store)

    async def read(self, key: str) -> bytes:
        """As a step does: what it holds is free again at its end."""
        return await asyncio.ensure_future(self.store.read(key))


@pytest.fixture
def here(tmp_path: Path, box: Bucket, proxy: FaultyProxy) -> Host:
    return Host(tmp_path / "here", box)


@pytest.fixture
def there(tmp_path: Path, box: Bucket, proxy: FaultyProxy) -> Host:
    return Host(tmp_path / "there", box)


def versions(box: Bucket, key: str) -> int:
    """How often an object was written."""
    found = box.s3.list_object_versions(Bucket=box.name, Prefix=key)
    return len(found.get("Versions", ()))


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_part_is_read_by_every_host_and_fetched_only_where_it_was_not_made(
    here: Host, there: Host, box: Bucket, proxy: FaultyProxy, data: bytes
) -> None:
    assert not await here.store.has(KEY)
    await here.store.put(KEY, data)
    assert await there.store.has(KEY)
    assert await here.read(KEY) == data
    assert proxy.of("GET", NAME) == []
    for _ in range(2):
        assert await there.read(KEY) == data
    assert sum(asked.gave for asked in proxy.of("GET", NAME)) == len(data)
    assert box.names() == [NAME]
    assert box.open_uploads() == []
    assert not list((here.cache._folder.parent / "work" / "tmp").iterdir())


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_the_first_writer_wins(here: Host, there: Host, box: Bucket, data: bytes) -> None:
    box.s3.put_bucket_versioning(Bucket=box.name, VersioningConfiguration={"Status": "Enabled"})
    await here.store.put(KEY, data)
    await there.store.put(KEY, data[::-1])
    assert await here.read(KEY) == await there.read(KEY) == data
    assert versions(box, NAME) == 1
    assert box.open_uploads() == []


async def test_many_writers_of_one_key_leave_one_whole_object(
    here: Host, there: Host, box: Bucket
) -> None:
    box.s3.put_bucket_versioning(Bucket=box.name, VersioningConfiguration={"Status": "Enabled"})
    await asyncio.gather(*(host.store.put(KEY, SMALL) for _ in range(4) for host in (here, there)))
    assert await there.read(KEY) == SMALL
    assert versions(box, NAME) == 1


async def test_a_missing_object_says_what_to_do(here: Host) -> None:
    with pytest.raises(ResourceExhausted, match="start the job again"):
        await here.store.hold(KEY)


@pytest.mark.parametrize(
    ("data", "request_", "fault"),
    [
        *((SMALL, PUT, fault) for fault in ("503", "reset", "swallow", "409")),
        (LARGE, BEGIN, "swallow"),
        (LARGE, PART, "reset"),
        *((LARGE, COMPLETE, fault) for fault in ("503", "swallow", "409")),
    ],
    ids=[
        *("put-503", "put-reset", "put-swallow", "put-409", "begin-swallow", "part-reset"),
        *("complete-503", "complete-swallow", "complete-409"),
    ],
)
async def test_a_bad_network_loses_nothing_and_publishes_once(
    here: Host,
    there: Host,
    box: Bucket,
    proxy: FaultyProxy,
    data: bytes,
    request_: tuple[str, str],
    fault: Fault,
) -> None:
    box.s3.put_bucket_versioning(Bucket=box.name, VersioningConfiguration={"Status": "Enabled"})
    proxy.faults = now_and_then(fault, request_, every=2)
    await here.store.put(KEY, data)
    assert any(asked.fault == fault for asked in proxy.asked)
    assert await there.read(KEY) == data
    assert versions(box, NAME) == 1
    there.store.sweep(older_than_s=-1)  # an upload whose answer was lost is known to nobody
    assert box.open_uploads() == []


@pytest.mark.parametrize("fault", ["503", "reset", "truncate"])
async def test_a_bad_network_costs_a_reader_time_and_no_byte(
    here: Host, there: Host, proxy: FaultyProxy, fault: Fault
) -> None:
    await here.store.put(KEY, LARGE)
    turns = itertools.count()
    proxy.faults = lambda method, _: fault if method == "GET" and next(turns) % 2 == 0 else None
    assert await there.read(KEY) == LARGE
    assert sum(asked.gave for asked in proxy.of("GET", NAME)) == len(LARGE)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_what_was_computed_outlives_an_outage(
    here: Host, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """Longer than boto3 tries: else an hour's encode would be lost for ten seconds."""
    monkeypatch.setattr(s3_client, "TRIES", 1)
    away = itertools.count()
    proxy.faults = lambda *_: "503" if next(away) < 3 else None
    await here.store.put(KEY, data)
    assert await here.read(KEY) == data


async def test_a_bucket_that_stays_away_is_told(
    here: Host, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "TRIES", 1)
    monkeypatch.setattr(bucket, "PATIENCE_S", 1.0)
    proxy.faults = lambda *_: "503"
    with pytest.raises(StorageUnavailable, match="SlowDown"):
        await here.store.put(KEY, SMALL)


async def test_what_comes_otherwise_than_it_was_put_is_not_believed(
    here: Host, box: Bucket
) -> None:
    sha256 = hashlib.sha256(SMALL).hexdigest()
    box.s3.put_object(Bucket=box.name, Key=NAME, Body=SMALL[:-1] + b"!", Metadata={SHA256: sha256})
    with pytest.raises(StorageUnavailable, match="did not come as it was put"):
        await here.read(KEY)
    box.s3.put_object(Bucket=box.name, Key=NAME, Body=SMALL, Metadata={SHA256: sha256})
    assert await here.read(KEY) == SMALL


async def test_a_part_that_was_swept_and_made_again_is_fetched_again(
    here: Host, there: Host
) -> None:
    """Hardware encoders give other bytes each time; a host's cache must not mix them."""
    await here.store.put(KEY, SMALL)
    there.store.sweep(older_than_s=-1)
    assert not await here.store.has(KEY)
    await there.store.put(KEY, SMALL[::-1])
    assert await here.read(KEY) == SMALL[::-1]


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_rights_that_are_missing_are_waited_for_and_then_the_operators_matter(
    here: Host, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    refused = itertools.count()
    proxy.faults = lambda method, _: "403" if method == "PUT" and next(refused) < 2 else None
    await here.store.put(KEY, data)
    monkeypatch.setattr(bucket, "PATIENCE_S", 0.1)
    proxy.faults = lambda method, _: "403" if method == "PUT" else None
    with pytest.raises(CapabilityMissing, match="AccessDenied"):
        await here.store.put(KEY[:-1], data)


async def test_a_later_term_takes_the_right_to_publish(here: Host, there: Host) -> None:
    early, late = await here.store.lease("output", 1), await there.store.lease("output", 2)
    published: list[str] = []
    with pytest.raises(ResourceExhausted, match="later attempt"):
        early.publish(lambda: published.append("early"))
    late.publish(lambda: published.append("late"))
    with pytest.raises(ResourceExhausted, match="later attempt"):
        (await here.store.lease("output", 1)).publish(lambda: published.append("returned"))
    assert published == ["late"]


@pytest.mark.parametrize("fault", ["503", "swallow", "409"])
async def test_of_many_terms_that_begin_at_once_the_latest_stays(
    here: Host, there: Host, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.faults = now_and_then(fault, ("PUT", "store/leases/output"), every=3)
    hosts = itertools.cycle((here, there))
    leases = await asyncio.gather(*(next(hosts).store.lease("output", n) for n in range(1, 9)))
    for lease in leases[:-1]:
        with pytest.raises(ResourceExhausted):
            lease.check()
    leases[-1].check()


async def test_an_attempt_that_wakes_up_between_look_and_write_replaces_nothing(
    here: Host, there: Host, box: Bucket
) -> None:
    """The sleeper looked at the output, knew that its term was the latest, and then stood still."""
    uri, newer = box.put("film.mp4", b"the old film"), b"the newer job's film"
    sleeper = await here.store.lease("output", 1)
    asked = itertools.count()

    def falls_asleep() -> None:
        sleeper.check()
        if next(asked) == 0:
            later = asyncio.run(there.store.lease("output", 2))
            later.publish(lambda: publish_there())

    def publish_there() -> None:
        asyncio.run(write(there.outputs, uri, newer, overwrite=True))

    with pytest.raises(ResourceExhausted, match="later attempt"):
        await write(here.outputs, uri, SMALL, overwrite=True, check=falls_asleep)
    assert box.get("film.mp4") == newer


async def test_an_upload_of_a_host_that_died_is_gone_on_with_on_another(
    here: Host, there: Host, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    sha256 = hashlib.sha256(LARGE).hexdigest()
    with here.outputs.staging(uri, "job") as staged:
        staged.write_bytes(LARGE)
        await here.outputs.upload(staged, uri, sha256, "job")
    sent = len(proxy.of(*PART))
    assert await write(there.outputs, uri, LARGE) == box.sha256("film.mp4")
    assert len(proxy.of(*PART)) == sent
    assert box.names() == ["film.mp4"], "nothing is left of the ledger"
    assert box.open_uploads() == []


async def test_deaths_are_counted_across_hosts(here: Host, there: Host) -> None:
    assert await here.store.note(KEY, "1", "killed") == 1
    assert await there.store.note(KEY, "2", "killed") == 2
    assert await there.store.note(KEY, "2", "killed") == 2
    assert await here.store.note(KEY + "x", "1", "killed") == 1


def when(word: str, method: str) -> Callable[[str, str], timedelta]:
    return lambda m, target: AGES if m == method and word in target else timedelta()


async def test_what_is_used_becomes_young_again_and_only_when_it_is_old(
    here: Host, box: Bucket, proxy: FaultyProxy
) -> None:
    await here.store.put(KEY, SMALL)
    before = box.s3.head_object(Bucket=box.name, Key=NAME)
    assert await here.store.has(KEY)
    assert len(proxy.of("PUT", NAME)) == 1
    proxy.ahead = lambda *_: AGES
    assert await here.store.has(KEY)
    assert len(proxy.of("PUT", NAME)) == 2
    after = box.s3.head_object(Bucket=box.name, Key=NAME)
    assert (after["ETag"], after["Metadata"]) == (before["ETag"], before["Metadata"])
    proxy.ahead = lambda *_: timedelta()
    assert await here.read(KEY) == SMALL


async def test_sweep_removes_what_was_not_used_and_never_a_term(
    here: Host, there: Host, box: Bucket, proxy: FaultyProxy
) -> None:
    await here.store.put(KEY, SMALL)
    await here.store.note(KEY, "1", "killed")
    (await here.store.lease("output", 7)).check()
    box.put("somebody/else's", b"x")
    other = box.s3.create_multipart_upload(Bucket=box.name, Key="somebody/else's")["UploadId"]
    before = set(box.names())
    assert there.store.sweep(older_than_s=86_400) == (0, 0)
    proxy.ahead = when("list-type=2", "GET")  # found old in the list, and used meanwhile
    assert there.store.sweep(older_than_s=86_400) == (0, 0)
    assert set(box.names()) == before
    # To moto all uploads are of 2010: younger ones cannot be shown to stay.
    for lost in ("objects/aa/chunk-lost", "trials/lost"):
        box.s3.create_multipart_upload(Bucket=box.name, Key=f"store/{lost}")
    proxy.ahead = lambda *_: AGES
    assert there.store.sweep(older_than_s=86_400) == (2, len(SMALL) + len(b"killed"))
    assert set(box.names()) == {"somebody/else's", "store/leases/output"}
    assert box.open_uploads() == [other]


async def test_gc_sweeps_the_bucket_and_aborts_uploads_of_jobs_that_never_ended(
    here: Host,
    box: Bucket,
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path / "operator"))
    monkeypatch.setenv("LONGTAKE_WORK_STORE", f"s3://{box.name}/store")
    await here.store.put(KEY, SMALL)
    with here.outputs.staging("s3://x/y", "job") as staged:
        staged.write_bytes(LARGE)
        uri, sha256 = f"s3://{box.name}/film.mp4", hashlib.sha256(LARGE).hexdigest()
        await here.outputs.upload(staged, uri, sha256, "job")
    nothing = {"removed": 0, "bytes": 0, "uploads": 0}
    swept = partial(asyncio.to_thread, sweep.sweep, Home.from_environment(), 7 * 86_400)
    assert await swept() == nothing
    proxy.ahead = lambda *_: AGES
    done = {"removed": 1, "bytes": len(SMALL), "uploads": 1}
    assert await swept() == done
    assert box.names() == box.open_uploads() == []


@pytest.mark.parametrize("uri", ["ftp://host/store", "https://host/store"])
def test_other_places_are_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_WORK_STORE", uri)
    with pytest.raises(CapabilityMissing, match="neither a folder nor"):
        Home.from_environment().work_store  # noqa: B018
