"""Multipart uploads: begun, gone on with by later attempts, and never left behind.

S3 tells which uploads of a key are open, but not whose they are. So what is begun is noted in
the work store's ledger, which all workers share. A note is written before the upload is
asked for, with those that were open then: one whose answer was lost is found by that.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import ClientError

from longtake.content_type import Served, content_type
from longtake.errors import StorageUnavailable, UserError
from storage.address import Address
from storage.ledger import Ledger, Note, new_entry
from storage.s3_client import client, code_of, is_passing, writing
from storage.threads import check

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        HeadObjectOutputTypeDef,
    )


class Condition(TypedDict, total=False):
    """When an object may be written: where there is none (`*`), or in place of this ETag."""

    IfNoneMatch: str
    IfMatch: str


SHA256 = "longtake-sha256"
"""Metadata of our objects: by it an output is known again whose answer was lost."""
CONDITION_FAILED = {"PreconditionFailed", "412"}
# Ceph says NoSuchKey of an upload that was aborted, when its parts are asked for.
_UPLOAD_GONE = {"NoSuchUpload", "NoSuchKey", "404"}

PARALLEL = 8
LEAST_PART_BYTES = 8 << 20
MOST_PARTS = 10_000
"""S3's own limit, as is the 5 MiB that a part must have at least."""
_IN_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True)
class Upload:
    """An open upload of a file of `size` bytes, and the parts that are there: their numbers,
    from 1, with their ETags."""

    note: Note
    size: int
    parts: dict[int, str]

    @property
    def missing(self) -> list[int]:
        """Numbers of the parts that are not there."""
        count = -(-self.size // self.note.part_bytes)
        return [number for number in range(1, count + 1) if number not in self.parts]


class Uploads:
    """The uploads of a fleet, by its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(
        self,
        address: Address,
        job_id: str,
        sha256: str,
        size: int,
        served: Served | None = None,
    ) -> Note:
        """Ask for a new upload. Raises OutputConflict, StorageUnavailable."""
        note = Note(
            bucket=address.bucket,
            key=address.key,
            job_id=job_id,
            sha256=sha256,
            part_bytes=part_bytes_of(size),
            before=tuple(self._open(address)),
        )
        entry = new_entry(address)
        self._ledger.write(entry, note)
        try:
            with writing(address):
                begun = client().create_multipart_upload(
                    Bucket=address.bucket,
                    Key=address.key,
                    Metadata={SHA256: sha256},
                    **_headers(address, served),
                )
        except UserError:  # refused: nothing was begun
            self._ledger.remove(entry)
            raise
        retried = bool(begun["ResponseMetadata"]["RetryAttempts"])
        note = note.model_copy(update={"upload_id": begun["UploadId"], "asked_again": retried})
        self._ledger.write(entry, note)
        return note

    def find(self, address: Address, sha256: str, size: int) -> Iterator[Upload]:
        """Open uploads of a file, of whichever attempt."""
        for _, note in self._ledger.of(address):
            if note.sha256 == sha256 and note.upload_id is not None:
                parts = _parts(note, size)
                if parts is not None:
                    yield Upload(note, size, parts)

    def drop(
        self, address: Address, *, job_id: str | None = None, sha256: str | None = None
    ) -> None:
        """Abort what a job has open on an object, or what is open of these bytes.

        Also uploads whose answer was lost.
        """
        for entry, note in list(self._ledger.of(address)):
            if job_id in (None, note.job_id) and sha256 in (None, note.sha256):
                self._drop(entry, note)

    def sweep(self, older_than_s: float) -> int:
        """Abort uploads begun so long ago, whose job never ended; returns how many.

        A bucket that is gone or forbidden by now is nothing that we could clean; one that does
        not answer is left for the next time.
        """
        dropped = 0
        for entry, note in self._ledger.older(older_than_s):
            try:
                self._drop(entry, note)
                dropped += 1
            except UserError:
                self._ledger.remove(entry)
            except StorageUnavailable:
                continue
        return dropped

    def _drop(self, entry: str, note: Note) -> None:
        if note.upload_id is not None:
            abort(note.address, note.upload_id)
        if note.upload_id is None or note.asked_again:
            known = {other.upload_id for _, other in self._ledger.of(note.address)}
            for stray in set(self._open(note.address)) - set(note.before) - known:
                abort(note.address, stray)
        self._ledger.remove(entry)

    def _open(self, address: Address) -> Iterator[str]:
        # The whole key as prefix: MinIO lists nothing for a shorter one.
        with writing(address):
            pages = client().get_paginator("list_multipart_uploads")
            try:
                for page in pages.paginate(Bucket=address.bucket, Prefix=address.key):
                    for upload in page.get("Uploads", ()):
                        if upload.get("Key") == address.key:
                            yield upload["UploadId"]
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":  # so rclone says that there are none
                    raise


def part_bytes_of(size: int) -> int:
    """Bytes of each part but the last: as many MiB as keep a file's parts within their number."""
    return max(LEAST_PART_BYTES, -(-size // MOST_PARTS // (1 << 20)) * (1 << 20))


def _parts(note: Note, size: int) -> dict[int, str] | None:
    """The parts of a file that are there; None if the upload is gone."""
    found: dict[int, str] = {}
    with writing(note.address):
        try:
            pages = client().get_paginator("list_parts")
            for page in pages.paginate(
                Bucket=note.bucket, Key=note.key, UploadId=note.upload_id or ""
            ):
                for part in page.get("Parts", ()):
                    left = size - (part["PartNumber"] - 1) * note.part_bytes
                    if part["Size"] == min(left, note.part_bytes):
                        found[part["PartNumber"]] = part["ETag"]
        except ClientError as error:
            if code_of(error) in _UPLOAD_GONE:
                return None
            raise
    return found


def send(upload: Upload, file: Path, stop: threading.Event) -> None:
    """Upload the parts of `file` that are not there yet, side by side; each is noted in
    `upload` when it is there."""
    workers = max(1, min(PARALLEL, _IN_MEMORY_BYTES // upload.note.part_bytes))
    with file.open("rb") as data, ThreadPoolExecutor(workers, "part") as pool:
        sending = [
            pool.submit(_send_part, upload, data.fileno(), number, stop)
            for number in upload.missing
        ]
        try:
            for sent in sending:
                sent.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _send_part(upload: Upload, file: int, number: int, stop: threading.Event) -> None:
    check(stop)
    note = upload.note
    body = os.pread(file, note.part_bytes, (number - 1) * note.part_bytes)
    with writing(note.address):
        sent = client().upload_part(
            Bucket=note.bucket,
            Key=note.key,
            UploadId=note.upload_id or "",
            PartNumber=number,
            Body=body,
            # The server refuses a part that came otherwise: what it lists is right.
            ContentMD5=_md5(body),
        )
    upload.parts[number] = sent["ETag"]


def complete(upload: Upload, condition: Condition) -> None:
    """Make the object out of its parts.

    Raises boto3's ClientError as it comes: what it means, the object itself tells.
    """
    parts: list[CompletedPartTypeDef] = [
        {"PartNumber": number, "ETag": etag} for number, etag in sorted(upload.parts.items())
    ]
    _on_condition(
        lambda condition: client().complete_multipart_upload(
            Bucket=upload.note.bucket,
            Key=upload.note.key,
            UploadId=upload.note.upload_id or "",
            MultipartUpload={"Parts": parts},
            **condition,
        ),
        condition,
    )


def put(
    address: Address,
    body: bytes,
    sha256: str,
    condition: Condition,
    served: Served | None = None,
) -> None:
    """Make a small object in one request. Its type follows from its name, if nothing is said.

    Raises boto3's ClientError as it comes, as `complete` does.
    """
    _on_condition(
        lambda condition: client().put_object(
            Bucket=address.bucket,
            Key=address.key,
            Body=body,
            Metadata={SHA256: sha256},
            ContentMD5=_md5(body),
            **_headers(address, served),
            **condition,
        ),
        condition,
    )


def _on_condition(request: Callable[[Condition], object], condition: Condition) -> None:
    """Ask on a condition, and where its ETag is not the object's, once more without quotes.

    HTTP has quotes around an ETag (RFC 9110, 8.8.3), and gives it so. Ceph gives it so, too, but
    compares what `If-Match` of a write says with the bare tag, and never finds them equal.
    """
    try:
        request(condition)
    except ClientError as error:
        bare = condition.get("IfMatch", "").strip('"')
        if not bare or code_of(error) not in CONDITION_FAILED:
            raise
        try:
            request({"IfMatch": bare})
        except ClientError as again:
            raise (again if is_passing(again) else error) from None


def noted_sha256(found: HeadObjectOutputTypeDef) -> str:
    """The SHA-256 that we noted on an object; empty if there is none.

    Names of metadata are names of headers: rclone gives them in capitals.
    """
    return next((value for name, value in found["Metadata"].items() if name.lower() == SHA256), "")


class _Headers(TypedDict, total=False):
    ContentType: str
    CacheControl: str


def _headers(address: Address, served: Served | None) -> _Headers:
    headers: _Headers = {"ContentType": content_type(address.key)}
    if served is not None:
        headers["ContentType"] = served.content_type
        if served.cache_control is not None:
            headers["CacheControl"] = served.cache_control
    return headers


def abort(address: Address, upload_id: str) -> None:
    """Drop an upload and its parts, if it is open still."""
    with writing(address):
        try:
            client().abort_multipart_upload(
                Bucket=address.bucket, Key=address.key, UploadId=upload_id
            )
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
