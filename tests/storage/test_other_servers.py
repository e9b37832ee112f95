"""What Ceph, rclone and s3rver answer otherwise than S3 does, as they were seen to answer."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
from botocore.exceptions import ClientError

from longtake.errors import CapabilityMissing, InputCorrupt, InvalidJob, OutputConflict
from storage.address import Address
from storage.bucket_proof import prove
from storage.s3 import S3Storage
from storage.s3_client import writing
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.test_s3_outputs import BEGIN, COMPLETE, LARGE, SMALL, write
from tests.storage.test_s3_sources import DATA


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_ceph_compares_an_etag_without_its_quotes(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, data: bytes
) -> None:
    uri = box.put("film.mp4", b"the first")
    proxy.faults = lambda method, _: "bare etags" if method in ("PUT", "POST") else None
    sha256 = await write(s3, uri, data, overwrite=True)
    assert box.sha256("film.mp4") == sha256
    asked = COMPLETE if data is LARGE else ("PUT", "film.mp4")
    quoted = f'"{hashlib.md5(b"the first").hexdigest()}"'
    assert [each.condition for each in proxy.of(*asked)] == [quoted, quoted.strip('"')]
    prove(f"s3://{box.name}/store")


async def test_a_condition_that_fails_without_quotes_too_has_failed(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("film.mp4", b"the first")
    replaced: list[str] = []

    def a_stranger_writes() -> None:
        if not replaced:
            replaced.append(box.put("film.mp4", b"the second"))

    proxy.faults = lambda method, _: "bare etags" if method == "PUT" else None
    sha256 = await write(s3, uri, SMALL, overwrite=True, check=a_stranger_writes)
    assert box.sha256("film.mp4") == sha256
    conditions = [each.condition.strip('"') for each in proxy.of("PUT", "film.mp4")]
    first, second = (hashlib.md5(data).hexdigest() for data in (b"the first", b"the second"))
    assert conditions == [first, first, second, second]


async def test_ceph_fulfils_no_condition_in_a_bucket_with_versions(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("film.mp4", b"the first")
    proxy.faults = lambda method, _: "no if-match" if method == "PUT" else None
    sha256 = await write(s3, uri, SMALL, overwrite=True)
    assert box.sha256("film.mp4") == sha256
    assert proxy.of("PUT", "film.mp4")[-1].condition == ""
    with pytest.raises(CapabilityMissing, match="did not replace the version it names"):
        prove(f"s3://{box.name}/store")


async def test_ceph_says_no_such_key_of_an_upload_that_was_aborted(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = f"s3://{box.name}/film.mp4"

    def parts_are_gone(method: str, target: str) -> Fault | None:
        listing = method == "GET" and "uploadId=" in target
        return "404" if listing and len(proxy.of("GET", "uploadId=")) < 1 else None

    proxy.faults = parts_are_gone
    sha256 = await write(s3, uri, LARGE)
    assert any(each.fault == "404" for each in proxy.asked)
    assert box.sha256("film.mp4") == sha256
    assert box.open_uploads() == []


def test_ceph_says_nothing_but_a_code() -> None:
    told = ClientError({"Error": {"Code": "AccessDenied", "Message": None}}, "PutObject")  # type: ignore[typeddict-item]
    with pytest.raises(OutputConflict, match=r"\(AccessDenied\)"), writing(Address("box", "a.mp4")):
        raise told


async def test_rclone_names_metadata_in_capitals(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = f"s3://{box.name}/film.mp4"
    proxy.faults = lambda *_: "capitals"
    sha256 = await write(s3, uri, SMALL)
    assert await s3.holds(uri, sha256, len(SMALL))
    await write(s3, uri, SMALL)  # known again, not refused as another's
    prove(f"s3://{box.name}/store")


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_rclone_says_no_such_upload_of_a_bucket_that_never_had_one(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, data: bytes
) -> None:
    uri = f"s3://{box.name}/film.mp4"

    def none_yet(method: str, target: str) -> Fault | None:
        listing = method == "GET" and "uploads" in target
        return "404 upload" if listing and not proxy.of(*BEGIN) else None

    proxy.faults = none_yet
    s3.check_output(uri, "in.mov", overwrite=False)
    sha256 = await write(s3, uri, data)
    assert any(each.fault == "404 upload" for each in proxy.asked)
    assert box.sha256("film.mp4") == sha256
    assert box.open_uploads() == []


async def test_rclone_and_s3rver_give_another_version_than_was_asked_for(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy
) -> None:
    uri = box.put("in.mov", DATA)

    def replace(method: str, _: str) -> Fault | None:
        if method == "GET" and not proxy.of("GET"):
            box.put("in.mov", DATA[::-1])
        return "unconditional" if method == "GET" else None

    proxy.faults = replace
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await s3.fingerprint(uri)


@pytest.mark.parametrize(
    ("fault", "code"), [("501", "NotImplemented"), ("405", "MethodNotAllowed")]
)
async def test_s3rver_knows_no_lists_of_uploads_and_parts(
    s3: S3Storage, box: Bucket, proxy: FaultyProxy, fault: Fault, code: str
) -> None:
    proxy.faults = lambda method, target: fault if method == "GET" and "uploads" in target else None
    check = partial(s3.check_output, f"s3://{box.name}/film.mp4", "in.mov", overwrite=False)
    with pytest.raises(InvalidJob, match=rf"does not know ListMultipartUploads \({code}"):
        check()
