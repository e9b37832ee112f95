"""Objects under a prefix of a bucket: looked at, read, and written on conditions.

Ages are the server's: its `Date` less the object's `Last-Modified`. The clocks of hosts have no
say in who may publish or what is swept.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from longtake.errors import CapabilityMissing, StorageUnavailable, UserError
from storage.address import Address
from storage.ledger import Note
from storage.s3_client import client, code_of, writing
from storage.threads import persist
from storage.uploads import (
    CONDITION_FAILED,
    LEAST_PART_BYTES,
    SHA256,
    Condition,
    Upload,
    abort,
    complete,
    noted_sha256,
    part_bytes_of,
    put,
    send,
)

PATIENCE_S = 15 * 60.0
"""So long a finished part waits for a bucket that is not available, before it is lost."""
SMALL_PATIENCE_S = 20.0
"""So long a small request is made again, before its step is."""
_WAITED_FOR = (StorageUnavailable, CapabilityMissing)
FREE: Condition = {"IfNoneMatch": "*"}
MISSING = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True)
class Found:
    """What lies under a name, and for how long."""

    etag: str
    size: int
    sha256: str
    age_s: float


@dataclass(frozen=True)
class Listed:
    """A name in a list."""

    name: str
    size: int
    age_s: float


@dataclass(frozen=True)
class Prefix:
    """A part of a bucket that is ours alone. Names are keys without the prefix."""

    bucket: str
    prefix: str
    """Empty, or with a slash at its end."""

    @classmethod
    def of(cls, uri: str) -> Prefix:
        """`s3://bucket/prefix`, or a whole bucket. Raises CapabilityMissing for anything else."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise CapabilityMissing(
                f"LONGTAKE_WORK_STORE={uri} names no bucket; write s3://bucket/prefix"
            )
        prefix = prefix.strip("/")
        return cls(bucket, f"{prefix}/" if prefix else "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def at(self, name: str) -> Address:
        """The address of a name."""
        return Address(self.bucket, self.prefix + name)

    def look(self, name: str) -> Found | None:
        """What lies under a name; None if nothing does."""
        with storing(self.at(name)):
            try:
                found = client().head_object(Bucket=self.bucket, Key=self.prefix + name)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        age_s = (_server_time(found) - found["LastModified"]).total_seconds()
        return Found(found["ETag"], found["ContentLength"], noted_sha256(found), age_s)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """The bytes of a small object, and its ETag; None if there is none."""
        return persist(lambda: self._read(name), SMALL_PATIENCE_S)

    def _read(self, name: str) -> tuple[bytes, str] | None:
        with storing(self.at(name)):
            try:
                answer = client().get_object(Bucket=self.bucket, Key=self.prefix + name)
                return answer["Body"].read(), answer["ETag"]
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise

    def write(self, name: str, data: bytes, condition: Condition | None = None) -> bool:
        """Write a small object; False if the condition does not hold.

        With a condition, False may also be told of a write of our own whose answer was lost:
        read what lies there.
        """
        return persist(lambda: self._write(name, data, condition or {}), SMALL_PATIENCE_S)

    def _write(self, name: str, data: bytes, condition: Condition) -> bool:
        with storing(self.at(name)):
            try:
                put(self.at(name), data, hashlib.sha256(data).hexdigest(), condition)
            except ClientError as error:
                if code_of(error) in CONDITION_FAILED | MISSING:
                    return False
                raise
        return True

    def give(self, name: str, file: Path, sha256: str, stop: threading.Event) -> None:
        """Put a file under a name, if it is free. Insists for 15 minutes on a bucket that is
        not available, or may not be written: what was computed must not be lost for that.

        Raises StorageUnavailable then, CapabilityMissing if it may not be written.
        """
        if file.stat().st_size <= LEAST_PART_BYTES:
            data = file.read_bytes()
            persist(lambda: self._write(name, data, FREE), PATIENCE_S, stop, _WAITED_FOR)
        else:
            giving = partial(self.give_in_parts, name, file, sha256, stop)
            persist(giving, PATIENCE_S, stop, _WAITED_FOR)

    def give_in_parts(self, name: str, file: Path, sha256: str, stop: threading.Event) -> bool:
        """The same for a large file; False if the name was taken.

        An upload whose answer was lost is aborted when the store is swept.
        """
        address, size = self.at(name), file.stat().st_size
        with storing(address):
            begun = client().create_multipart_upload(
                Bucket=self.bucket, Key=address.key, Metadata={SHA256: sha256}
            )
        note = Note(
            bucket=self.bucket,
            key=address.key,
            job_id="",
            sha256=sha256,
            part_bytes=part_bytes_of(size),
            before=(),
            upload_id=begun["UploadId"],
        )
        upload, done = Upload(note, size, {}), False
        try:
            with storing(address):
                persist(partial(send, upload, file, stop), PATIENCE_S, stop)
            done = self._complete(upload, name)
        finally:
            if not done:
                with contextlib.suppress(StorageUnavailable, UserError):
                    abort(address, begun["UploadId"])
        return done

    def _complete(self, upload: Upload, name: str) -> bool:
        """Whether the object is made of our parts; not if another was first."""
        try:
            complete(upload, FREE)
        except (ClientError, BotoCoreError) as error:
            # Its answer may have been lost, too: the object tells.
            if self.look(name) is None:
                with storing(upload.note.address):
                    raise error
            return False
        return True

    def touch(self, name: str, found: Found) -> None:
        """Make an object young: it is copied onto itself, unless it is gone by now."""
        address = self.at(name)
        with storing(address):
            try:
                client().copy_object(
                    Bucket=self.bucket,
                    Key=address.key,
                    CopySource={"Bucket": self.bucket, "Key": address.key},
                    CopySourceIfMatch=found.etag,
                    Metadata={SHA256: found.sha256},
                    MetadataDirective="REPLACE",
                )
            except ClientError as error:
                if code_of(error) not in MISSING | CONDITION_FAILED:
                    raise

    def list(self, name: str) -> Iterator[Listed]:
        """All objects whose name begins so."""
        with storing(self.at(name)):
            pages = client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + name):
                now = _server_time(page)
                for each in page.get("Contents", ()):
                    age_s = (now - each["LastModified"]).total_seconds()
                    yield Listed(each["Key"].removeprefix(self.prefix), each["Size"], age_s)

    def remove(self, name: str) -> None:
        """Remove an object, if there is one."""
        with storing(self.at(name)):
            client().delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def abort_older(self, name: str, than_s: float) -> int:
        """Abort uploads of names that begin so and were begun so long ago; returns how many."""
        aborted = 0
        with storing(self.at(name)):
            pages = client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + name):
                now = _server_time(page)
                for upload in page.get("Uploads", ()):
                    if (now - upload["Initiated"]).total_seconds() > than_s:
                        abort(Address(self.bucket, upload["Key"]), upload["UploadId"])
                        aborted += 1
        return aborted


@contextlib.contextmanager
def storing(address: Address) -> Iterator[None]:
    """Translate what boto3 raises while the work store is used: whatever is wrong with it is no
    fault of a job, which waits until the operator has mended it."""
    try:
        with writing(address):
            yield
    except UserError as error:
        raise CapabilityMissing(f"the work store cannot be used: {error.message}") from error


def _server_time(answer: Mapping[str, Any]) -> datetime:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    if "date" not in headers:
        raise CapabilityMissing(
            "the work store's endpoint sends no Date; how old a part is, only its clock may tell"
        )
    return parsedate_to_datetime(headers["date"])
