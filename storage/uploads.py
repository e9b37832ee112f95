"""Multipart uploads: begun, gone on with by later attempts, and never left behind.

S3 tells which uploads of a key are open, but not whose they are. So what is begun is noted in a
ledger beside the work store, which all workers share. A note is written before the upload is
asked for, with those that were open then: one whose answer was lost is found by that.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from longtake.contracts.base import Contract
from longtake.errors import StorageUnavailable, UserError
from storage.content_type import content_type
from storage.s3_client import Address, client, code_of, writing
from storage.threads import check

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CompleteMultipartUploadRequestTypeDef,
        PutObjectRequestTypeDef,
    )

SHA256 = "longtake-sha256"
"""Metadata of our objects: by it an output is known again whose answer was lost."""

PARALLEL = 8
LEAST_PART_BYTES = 8 << 20
MOST_PARTS = 10_000
"""S3's own limit, as is the 5 MiB that a part must have at least."""
_IN_MEMORY_BYTES = 256 << 20


class Note(Contract):
    """An upload of ours. Without `upload_id` it was asked for, and the answer never came."""

    bucket: str
    key: str
    job_id: str
    sha256: str
    part_bytes: int
    before: tuple[str, ...]
    """Uploads of this key that were open already; they belong to somebody else."""
    upload_id: str | None = None
    asked_again: bool = False
    """The request was repeated on the way: then there may be one more upload than is known."""

    @property
    def address(self) -> Address:
        """What is uploaded to."""
        return Address(self.bucket, self.key)


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
    """The uploads of a fleet, by the ledger in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, address: Address, job_id: str, sha256: str, size: int) -> Note:
        """Ask for a new upload. Raises OutputConflict, StorageUnavailable."""
        note = Note(
            bucket=address.bucket,
            key=address.key,
            job_id=job_id,
            sha256=sha256,
            part_bytes=_part_bytes(size),
            before=tuple(self._open(address)),
        )
        path = self._ledger(address) / f"{secrets.token_hex(8)}.json"
        _write(path, note)
        try:
            with writing(address):
                begun = client().create_multipart_upload(
                    Bucket=address.bucket,
                    Key=address.key,
                    Metadata={SHA256: sha256},
                    ContentType=content_type(address.key),
                )
        except UserError:  # refused: nothing was begun
            path.unlink()
            raise
        retried = bool(begun["ResponseMetadata"]["RetryAttempts"])
        note = note.model_copy(update={"upload_id": begun["UploadId"], "asked_again": retried})
        _write(path, note)
        return note

    def find(self, address: Address, sha256: str, size: int) -> Iterator[Upload]:
        """Open uploads of a file, of whichever attempt."""
        for _, note in self._notes(address):
            if note.sha256 == sha256 and note.upload_id is not None:
                parts = _parts(note, size)
                if parts is not None:
                    yield Upload(note, size, parts)

    def send(self, upload: Upload, file: Path, stop: threading.Event) -> None:
        """Upload the parts of `file` that are not there yet, side by side."""
        workers = max(1, min(PARALLEL, _IN_MEMORY_BYTES // upload.note.part_bytes))
        with file.open("rb") as data, ThreadPoolExecutor(workers, "part") as pool:
            sending = [
                pool.submit(_send_part, upload.note, data.fileno(), number, stop)
                for number in upload.missing
            ]
            try:
                for sent in sending:
                    sent.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def complete(self, upload: Upload, *, if_none: bool) -> None:
        """Make the object out of its parts; with `if_none` only where there is none.

        Raises boto3's ClientError as it comes: what it means, the object itself tells.
        """
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in sorted(upload.parts.items())
        ]
        request: CompleteMultipartUploadRequestTypeDef = {
            "Bucket": upload.note.bucket,
            "Key": upload.note.key,
            "UploadId": upload.note.upload_id or "",
            "MultipartUpload": {"Parts": parts},
        }
        if if_none:
            request["IfNoneMatch"] = "*"
        client().complete_multipart_upload(**request)

    def drop(
        self, address: Address, *, job_id: str | None = None, sha256: str | None = None
    ) -> None:
        """Abort what a job has open on an object, or what is open of these bytes.

        Also uploads whose answer was lost.
        """
        for path, note in list(self._notes(address)):
            if job_id in (None, note.job_id) and sha256 in (None, note.sha256):
                self._drop(path, note)

    def sweep(self, older_than_s: float) -> int:
        """Abort uploads begun so long ago, whose job never ended; returns how many.

        A bucket that is gone or forbidden by now is nothing that we could clean; one that does
        not answer is left for the next time.
        """
        horizon, dropped = time.time() - older_than_s, 0
        for path in self._folder.glob("*/*.json"):
            try:
                if path.stat().st_mtime < horizon:
                    self._drop(path, _read(path))
                    dropped += 1
            except UserError:
                path.unlink()
            except (FileNotFoundError, StorageUnavailable):
                continue
        return dropped

    def _drop(self, path: Path, note: Note) -> None:
        if note.upload_id is not None:
            _abort(note.address, note.upload_id)
        if note.upload_id is None or note.asked_again:
            known = {other.upload_id for _, other in self._notes(note.address)}
            for stray in set(self._open(note.address)) - set(note.before) - known:
                _abort(note.address, stray)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # the last note

    def _notes(self, address: Address) -> Iterator[tuple[Path, Note]]:
        for path in sorted(self._ledger(address).glob("*.json")):
            with contextlib.suppress(FileNotFoundError):
                yield path, _read(path)

    def _ledger(self, address: Address) -> Path:
        return self._folder / hashlib.sha256(str(address).encode()).hexdigest()[:32]

    def _open(self, address: Address) -> Iterator[str]:
        # The whole key as prefix: MinIO lists nothing for a shorter one.
        with writing(address):
            pages = client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=address.bucket, Prefix=address.key):
                for upload in page.get("Uploads", ()):
                    if upload.get("Key") == address.key:
                        yield upload["UploadId"]


def _part_bytes(size: int) -> int:
    """As many MiB as keep the parts of a file within their number."""
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
            if code_of(error) == "NoSuchUpload":
                return None
            raise
    return found


def _send_part(note: Note, file: int, number: int, stop: threading.Event) -> None:
    check(stop)
    body = os.pread(file, note.part_bytes, (number - 1) * note.part_bytes)
    with writing(note.address):
        client().upload_part(
            Bucket=note.bucket,
            Key=note.key,
            UploadId=note.upload_id or "",
            PartNumber=number,
            Body=body,
            # The server refuses a part that came otherwise: what it lists is right.
            ContentMD5=_md5(body),
        )


def put(address: Address, body: bytes, sha256: str, *, if_none: bool) -> None:
    """Make a small object in one request; with `if_none` only where there is none.

    Raises boto3's ClientError as it comes, as `Uploads.complete` does.
    """
    request: PutObjectRequestTypeDef = {
        "Bucket": address.bucket,
        "Key": address.key,
        "Body": body,
        "Metadata": {SHA256: sha256},
        "ContentType": content_type(address.key),
        "ContentMD5": _md5(body),
    }
    if if_none:
        request["IfNoneMatch"] = "*"
    client().put_object(**request)


def _abort(address: Address, upload_id: str) -> None:
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


def _read(path: Path) -> Note:
    return Note.model_validate_json(path.read_bytes())


def _write(path: Path, note: Note) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(note.model_dump_json())
    draft.replace(path)
