"""Outputs appear in a bucket once, whole, and nothing is left beside them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from longtake.errors import InvalidJob, OutputConflict, ResourceExhausted, StorageUnavailable
from storage import s3_client, sweep, uploads
from storage.address import Address
from storage.folder_store import FolderStore
from storage.host_cache import HostCache
from storage.ledger import FolderLedger
from storage.s3 import S3Storage
from storage.uploads import LEAST_PART_BYTES
from tests.storage.bucket import Bucket, bucket, s3_server
from tests.storage.faulty import Fault, FaultyProxy

LARGE = os.urandom(3 * LEAST_PART_BYTES + 777)
SMALL = os.urandom(10_000)
COMPLETE, PART, BEGIN = ("POST", "uploadId="), ("PUT", "partNumber="), ("POST", "uploads")


async def write(
    s3: S3Storage,
    uri: str,
    data: bytes,
    *,
    overwrite: bool = False,
    check: Callable[[], None] = lambda: None,
) -> str:
    """What `assemble` does with a finished file."""
    sha256 = hashlib.sha256(data).hexdigest()
    with s3.staging(uri, "job") as staged:
        staged.write_bytes(data)
        await s3.upload(staged, uri, sha256, "job")
        publish = partial(s3.publish, overwrite=overwrite, check=check)
        await asyncio.to_thread(publish, staged, uri, sha256)
    return sha256


def now_and_then(fault: Fault, request: tuple[str, str], every: int) -> Callable[..., Fault | None]:
    turns = itertools.count()
    verb, word = request

    def faults(method: str, target: str) -> Fault | None:
        hit = method == verb and word in target
        return fault if hit and next(turns) % every == 0 else None

    return faults


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_one_object_and_nothing_else(
    s3: S3Storage, box: Bucket, tmp_path: Path, data: bytes
) -> None:
    uri = f"s3://{box.name}/out/film.mp4"
    s3.check_output(uri, "in.mov", overwrite=False)
    sha256 = await write(s3, uri, data)
    assert box.sha256("out/film.mp4") == sha256
    assert box.s3.head_object(Bucket=box.name, Key="out/film.mp4")["ContentType"] == "video/mp4"
    assert box.names() == ["out/film.mp4"]
    assert box.open_uploads() == []
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("fault", ["503", "reset", "swallow"])
@pytest.mark.parametrize("request_", [BEGIN, PART, COMPLETE], ids=["begin", "part", "complete"])
async def test_a_bad_network_leaves_one_right_object_and_no_open_upload(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, fault: Fault, request_: tuple[str, str]
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    proxy.faults = now_and_then(fault, request_, every=2)
    sha256 = await write(s3, uri, LARGE)
    assert any(asked.fault == fault for asked in proxy.asked)
    assert box.sha256("film.mp4") == sha256
    assert box.names() == ["film.mp4"]
    assert box.open_uploads() == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_lost_answer_is_known_again_and_nothing_is_published_twice(
    s3: S3Storage,
    box: Bucket,
    proxy: FaultyProxy,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(s3_client, "TRIES", 1)
    box.s3.put_bucket_versioning(Bucket=box.name, VersioningConfiguration={"Status": "Enabled"})
    uri = f"s3://{box.name}/film.mp4"
    lost = COMPLETE if data is LARGE else ("PUT", "film.mp4")
    proxy.faults = lambda m, t: "swallow" if m == lost[0] and lost[1] in t else None
    for _ in range(2):  # and an attempt that comes later finds it done
        sha256 = await write(s3, uri, data, overwrite=True)
    assert box.sha256("film.mp4") == sha256
    versions = box.s3.list_object_versions(Bucket=box.name)["Versions"]
    assert len(versions) == 1
    assert len(proxy.of(*lost)) == 1
    assert box.open_uploads() == []


async def test_a_failed_upload_is_gone_on_with(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "TRIES", 1)
    uri = f"s3://{box.name}/film.mp4"
    proxy.faults = lambda m, t: "503" if m == "PUT" and "partNumber=3" in t else None
    with pytest.raises(StorageUnavailable):
        await write(s3, uri, LARGE)
    assert box.names() == []
    before = len(proxy.asked)
    proxy.faults = lambda *_: None
    sha256 = await write(s3, uri, LARGE)
    again = [a.target for a in proxy.asked[before:] if "partNumber=" in a.target]
    assert len(again) < 4
    assert any("partNumber=3" in target for target in again)
    assert box.sha256("film.mp4") == sha256
    assert box.open_uploads() == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_what_appeared_meanwhile_is_not_replaced(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, data: bytes
) -> None:
    """Also in the last moment, between our look and our write."""
    uri = f"s3://{box.name}/film.mp4"

    def appears(method: str, target: str) -> None:
        if method != "HEAD" and (("uploadId=" in target and method == "POST") or data is SMALL):
            box.put("film.mp4", b"somebody else's")

    proxy.faults = appears
    with pytest.raises(OutputConflict, match="is there already, with other bytes"):
        await write(s3, uri, data)
    s3.discard_staged(uri, "job")
    assert box.get("film.mp4") == b"somebody else's"
    assert box.open_uploads() == []
    proxy.faults = lambda *_: None
    sha256 = await write(s3, uri, data, overwrite=True)
    assert box.sha256("film.mp4") == sha256


async def test_what_a_later_attempt_published_is_not_replaced_by_an_earlier_one(
    s3: S3Storage, box: Bucket
) -> None:
    """Whenever it comes: before the look, or between the last look and the write."""
    uri, later = box.put("film.mp4", b"the first"), b"the later attempt's"
    terms = iter([1, 2])

    def a_later_one_publishes() -> None:
        if next(terms) > 1:
            raise ResourceExhausted("a later attempt publishes this output")
        box.put("film.mp4", later)

    with pytest.raises(ResourceExhausted):
        await write(s3, uri, SMALL, overwrite=True, check=a_later_one_publishes)
    assert box.get("film.mp4") == later
    assert next(terms, None) is None, "it looked again, and asked again"


async def test_a_stranger_between_look_and_write_is_replaced_all_the_same(
    s3: S3Storage, box: Bucket
) -> None:
    uri = box.put("film.mp4", b"the first")
    writes = iter([b"the second", b"the third"])

    def a_stranger_writes() -> None:
        if data := next(writes, None):
            box.put("film.mp4", data)

    sha256 = await write(s3, uri, SMALL, overwrite=True, check=a_stranger_writes)
    assert box.sha256("film.mp4") == sha256


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_an_endpoint_without_conditions_is_written_without(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, data: bytes
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    asked = COMPLETE if data is LARGE else ("PUT", "film.mp4")
    proxy.faults = lambda m, t: (
        "501" if m == asked[0] and asked[1] in t and not proxy.of(*asked) else None
    )
    sha256 = await write(s3, uri, data)
    assert [each.condition for each in proxy.of(*asked)] == ["*", ""]
    assert box.sha256("film.mp4") == sha256


async def test_an_output_is_known_again_and_what_is_not_told_is_believed(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    sha256 = await write(s3, uri, SMALL)
    assert await s3.holds(uri, sha256, len(SMALL))
    assert not await s3.holds(uri, "0" * 64, len(SMALL))
    proxy.faults = lambda *_: "403"
    assert await s3.holds(uri, "0" * 64, len(SMALL))
    proxy.faults = lambda *_: None
    box.put("film.mp4", SMALL)
    assert not await s3.holds(uri, sha256, len(SMALL)), "another's, which noted no hash"
    box.s3.delete_object(Bucket=box.name, Key="film.mp4")
    assert not await s3.holds(uri, sha256, len(SMALL))


async def test_a_taken_output_is_refused_early(s3: S3Storage, box: Bucket) -> None:
    uri = box.put("film.mp4", b"somebody else's")
    with pytest.raises(OutputConflict, match="--overwrite"):
        s3.check_output(uri, "in.mov", overwrite=False)
    s3.check_output(uri, "in.mov", overwrite=True)
    with pytest.raises(InvalidJob, match="the source itself"):
        s3.check_output(uri, uri, overwrite=True)
    with pytest.raises(OutputConflict, match="there is no bucket"):
        s3.check_output("s3://no-such-bucket/film.mp4", "in.mov", overwrite=False)
    assert box.open_uploads() == []


async def test_a_large_file_is_published_though_its_parts_were_swept_away(
    s3: S3Storage, box: Bucket, tmp_path: Path
) -> None:
    """By a life-cycle rule of the bucket; or never sent."""
    uri = f"s3://{box.name}/film.mp4"
    sha256 = hashlib.sha256(LARGE).hexdigest()
    with s3.staging(uri, "job") as staged:
        staged.write_bytes(LARGE)
        await s3.upload(staged, uri, sha256, "job")
        (sent,) = box.open_uploads()
        box.s3.abort_multipart_upload(Bucket=box.name, Key="film.mp4", UploadId=sent)
        publish = partial(s3.publish, overwrite=False, check=lambda: None)
        await asyncio.to_thread(publish, staged, uri, sha256)
    assert box.sha256("film.mp4") == sha256
    assert box.open_uploads() == []


async def test_a_folder_in_a_bucket_is_checked_name_by_name(s3: S3Storage, box: Bucket) -> None:
    folder = f"s3://{box.name}/preview/"
    names = ("poster.jpg", "storyboard.vtt")
    s3.check_folder(folder, "in.mov", names, overwrite=False)
    s3.make_folder(folder)
    assert box.names() == box.open_uploads() == []
    taken = box.put("preview/storyboard.vtt", b"somebody else's")
    with pytest.raises(OutputConflict, match=taken):
        s3.check_folder(folder, "in.mov", names, overwrite=False)
    with pytest.raises(InvalidJob, match="the source itself"):
        s3.check_folder(folder, taken, names, overwrite=True)


_WRITER = """
import asyncio, hashlib, os, sys
from pathlib import Path
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.s3 import S3Storage
from storage.folder_store import FolderStore

async def write(folder, uri, data):
    cache = HostCache(folder / "cache", 1 << 30, FingerprintCache(folder / "cache"))
    storage = S3Storage(cache, FolderStore(folder / "work"))
    with storage.staging(uri, "job") as staged:
        staged.write_bytes(data)
        await storage.upload(staged, uri, hashlib.sha256(data).hexdigest(), "job")
        print("sent", flush=True)
        sys.stdin.read()

asyncio.run(write(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes()))
"""


def start_writer(
    tmp_path: Path, uri: str, data: bytes, program: str = _WRITER
) -> subprocess.Popen[str]:
    """An attempt in a process of its own."""
    file = tmp_path / "data"
    file.write_bytes(data)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), uri, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed_writer(tmp_path: Path, uri: str) -> None:
    """An attempt that has sent every part and dies before it publishes."""
    process = start_writer(tmp_path, uri, LARGE)
    assert process.stdout is not None
    assert process.stdout.readline() == "sent\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()


async def test_a_killed_attempts_parts_are_not_sent_again(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, tmp_path: Path
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    killed_writer(tmp_path, uri)
    assert len(proxy.of(*PART)) == 4
    sha256 = await write(s3, uri, LARGE)
    assert len(proxy.of(*PART)) == 4
    assert box.sha256("film.mp4") == sha256
    assert box.open_uploads() == []


async def test_what_a_killed_attempt_left_is_removed_and_nothing_of_others(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, tmp_path: Path
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    other = box.s3.create_multipart_upload(Bucket=box.name, Key="film.mp4")["UploadId"]
    proxy.faults = now_and_then("swallow", BEGIN, every=2)  # one more upload than is known
    killed_writer(tmp_path, uri)
    assert len(box.open_uploads()) == 3
    s3.discard_staged(uri, "another job")
    assert len(box.open_uploads()) == 3
    s3.discard_staged(uri, "job")
    assert box.open_uploads() == [other]


async def test_thousands_of_parts_are_gone_on_with_after_a_death(
    cache: HostCache, tmp_path: Path, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 7 of the cases from the field: a list of parts has a thousand on a page."""
    part_bytes, killed_after = 7_000, 1_100
    data = os.urandom(1_250 * part_bytes - 77)
    assert len(data) > LEAST_PART_BYTES
    monkeypatch.setattr(uploads, "part_bytes_of", lambda size: part_bytes)
    with s3_server(S3_UPLOAD_PART_MIN_SIZE="256") as address:
        proxy.upstream, box = address, bucket(address, "box")
        uri = "s3://box/film.mp4"
        small_parts = (
            f"from storage import uploads; uploads.part_bytes_of = lambda _: {part_bytes}\n"
        )
        process = start_writer(tmp_path, uri, data, small_parts + _WRITER)
        while len(proxy.of(*PART)) < killed_after:
            assert process.poll() is None, "all was sent before it could be killed"
            await asyncio.sleep(0.01)
        process.kill()
        process.communicate()
        assert box.names() == []
        sha256 = await write(S3Storage(cache, FolderStore(tmp_path / "work")), uri, data)
        assert box.sha256("film.mp4") == sha256
        assert box.open_uploads() == []
    sent = Counter(re.findall(r"partNumber=(\d+)", " ".join(each.target for each in proxy.asked)))
    assert len(sent) == 1_250
    assert sent.total() - len(sent) <= uploads.PARALLEL, "only what was on its way comes again"


@pytest.mark.parametrize("size", [1, 9 << 20, 80 << 30, (78 << 30) + 1, 1 << 40, 5 << 40])
def test_ten_thousand_parts_always_suffice(
    box: Bucket, proxy: FaultyProxy, tmp_path: Path, size: int
) -> None:
    ours = uploads.Uploads(FolderLedger(tmp_path))
    note = ours.begin(Address(box.name, "film.mp4"), "job", "sha256", size)
    assert 5 << 20 <= note.part_bytes <= 5 << 30
    assert -(-size // note.part_bytes) <= 10_000
    ours.drop(note.address)
    assert box.open_uploads() == []


def test_gc_aborts_what_no_job_ended(
    s3: S3Storage, box: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path))
    killed_writer(tmp_path, f"s3://{box.name}/film.mp4")
    assert sweep.main([]) == 0
    assert len(box.open_uploads()) == 1
    for note in (tmp_path / "work" / "uploads").rglob("*.json"):
        os.utime(note, (1, 1))
    assert sweep.main([]) == 0
    assert box.open_uploads() == []
