"""Buckets: sources are read through the host's cache, outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from longtake.content_type import Served
from longtake.contracts.steps.common import Source
from longtake.errors import (
    InputForbidden,
    InputNotFound,
    InvalidJob,
    LongtakeError,
    OutputConflict,
    StorageUnavailable,
)
from storage.address import Address
from storage.folder import Folder
from storage.host_cache import HostCache
from storage.portions import Portions
from storage.remote import changed, too_large
from storage.s3_client import NOT_KNOWN, client, code_of, reading, where, writing
from storage.s3_folder import S3Folder
from storage.threads import transfer
from storage.uploads import (
    CONDITION_FAILED,
    LEAST_PART_BYTES,
    Condition,
    Upload,
    Uploads,
    complete,
    noted_sha256,
    put,
    send,
)
from storage.work import WorkStore

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef

_PIECE = 1 << 20
# NoSuchKey: what was to be replaced was removed meanwhile.
_CONDITION_FAILED = {*CONDITION_FAILED, "NoSuchKey"}
LOOKS = 5
"""So often we look again where somebody else writes between our look and our write."""


@dataclass(frozen=True)
class S3Object:
    """One version of an object, read by ranges."""

    address: Address
    etag: str
    size: int
    version: str
    ranged: bool = True

    @property
    def identity(self) -> str:
        """Endpoint, bucket, key and version."""
        return f"{where()} {self.address} {self.version}"

    @property
    def shown(self) -> str:
        """The address; nothing in it is secret."""
        return str(self.address)

    @contextlib.contextmanager
    def read(self, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        """Bytes of this version. Raises InputCorrupt if the key holds another one by now."""
        last = "" if end is None else end - 1
        with reading(self.address):
            answer = client().get_object(
                Bucket=self.address.bucket,
                Key=self.address.key,
                Range=f"bytes={start}-{last}",
                IfMatch=self.etag,
            )
            with contextlib.closing(answer["Body"]) as body:
                if answer["ETag"] != self.etag:  # rclone and s3rver ignore the condition
                    raise changed(self.shown)
                yield body.iter_chunks(_PIECE)


class S3Storage:
    """Sources and outputs in buckets of any S3 endpoint."""

    def __init__(self, cache: HostCache, store: WorkStore) -> None:
        self._cache = cache
        self._store = store
        self._uploads = Uploads(store.ledger)

    async def fingerprint(self, uri: str) -> Source:
        """Pin an object: ETag, size and version id; its SHA-256 is computed on its way into the
        host's cache, once a version.

        Raises InputNotFound, InputForbidden, StorageUnavailable.
        """
        found = await transfer(lambda _: _look(Address.of(uri)))
        sha256 = await self._cache.sha256(found)
        return Source(uri=uri, bytes=found.size, sha256=sha256, version=found.version)

    async def is_unchanged(self, uri: str, version: str) -> bool:
        """Compare ETag, size and version id. Raises InputNotFound, InputForbidden."""
        found = await transfer(lambda _: _look(Address.of(uri)))
        return found.version == version

    async def holds(self, uri: str, sha256: str, size: int) -> bool:
        """Compare size and the hash that publishing noted. Raises StorageUnavailable."""
        address = Address.of(uri)
        try:
            return _is_ours(await transfer(lambda _: _look_at(address)), sha256, size)
        except InputNotFound:
            return False
        except InputForbidden:
            return True

    async def localize(self, source: Source) -> Path:
        """The object's bytes in the host's cache, kept there until the calling task ends.

        Raises InputCorrupt if the key no longer holds the object that was pinned.
        """
        return await self._whole(await _pinned(source), source)

    async def borrow(self, source: Source) -> Path | Portions:
        """The object with its bytes to come when they are read, each asked for on condition of
        the ETag; or all of it where that is cheaper. Raises as `localize` does."""
        found = await _pinned(source)
        return await self._cache.portions(found) or await self._whole(found, source)

    async def read_small(self, uri: str, most_bytes: int) -> bytes:
        """The object's bytes. Raises InputNotFound, InputForbidden, InputTooLarge,
        StorageUnavailable."""
        return await transfer(lambda _: _read_small(Address.of(uri), most_bytes))

    async def _whole(self, found: S3Object, source: Source) -> Path:
        held = await self._cache.hold(found)
        if held.sha256 != source.sha256:
            raise changed(found.shown)
        return held.path

    def check_output(self, uri: str, source: str, *, overwrite: bool) -> None:
        """Fail early if the output cannot be published: an upload is begun, and dropped.

        Raises OutputConflict, InvalidJob if the output is the source itself.
        """
        address = Address.of(uri)
        if uri == source:
            raise InvalidJob(f"{uri} is the source itself; write to another object")
        self._try_to_write(address)
        _must_be_free(address, overwrite)

    def check_folder(self, uri: str, source: str, names: Sequence[str], *, overwrite: bool) -> None:
        """The same for several objects under one prefix. Raises as `check_output` does."""
        addresses = [Address.of(f"{uri.rstrip('/')}/{name}") for name in names]
        if source in map(str, addresses):
            raise InvalidJob(f"{source} is the source itself; write to another folder")
        self._try_to_write(addresses[0])
        for address in addresses:
            _must_be_free(address, overwrite)

    def make_folder(self, uri: str) -> None:
        """Nothing: in a bucket, folders are but parts of names."""

    def folder(self, uri: str) -> Folder:
        """What lies under a prefix. Raises InvalidJob."""
        return S3Folder(self, uri)

    def _try_to_write(self, address: Address) -> None:
        self._uploads.drop(address, job_id=_TRYING)  # of an attempt that was killed here
        self._uploads.begin(address, _TRYING, "", 0)
        self._uploads.drop(address, job_id=_TRYING)

    @contextlib.contextmanager
    def staging(self, uri: str, job_id: str) -> Iterator[Path]:
        """A draft in the work store. Uploads of earlier attempts stay: this one goes on there."""
        Address.of(uri)
        with self._store.drafting("output") as draft:
            yield draft

    def discard_staged(self, uri: str, job_id: str) -> None:
        """Abort the uploads that killed attempts of a job left."""
        self._uploads.drop(Address.of(uri), job_id=job_id)

    async def upload(self, staged: Path, uri: str, sha256: str, job_id: str) -> None:
        """Bring the parts of a large file to the bucket, where nobody sees them yet.

        Goes on with what an earlier attempt of the job has sent of the same bytes.
        """
        await transfer(lambda stop: self.send(staged, uri, sha256, job_id, stop=stop))

    def send(
        self,
        staged: Path,
        uri: str,
        sha256: str,
        job_id: str,
        served: Served | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """The same, in the calling thread."""
        address, size = Address.of(uri), staged.stat().st_size
        if size <= LEAST_PART_BYTES:
            return  # `publish` does it in one request
        if _is_ours(_head(address), sha256, size):
            return
        earlier = self._uploads.find(address, sha256, size)
        upload = next((found for found in earlier if found.note.job_id == job_id), None)
        if upload is None:
            self._uploads.drop(address, job_id=job_id)  # of other bytes, or begun half
            note = self._uploads.begin(address, job_id, sha256, size, served)
            upload = Upload(note, size, {})
        send(upload, staged, stop or threading.Event())

    def publish(
        self,
        staged: Path,
        uri: str,
        sha256: str,
        *,
        overwrite: bool,
        check: Callable[[], None],
        served: Served | None = None,
    ) -> None:
        """Make the object visible, whole and at once, unless it is there already.

        We look, then `check` whether a later attempt has begun, then write on condition that
        nothing changed since the look. So what a later attempt published is never replaced, nor
        what appeared meanwhile; on an endpoint that does not know the condition, the moment
        between our look and our write remains. Raises OutputConflict, StorageUnavailable.
        """
        address, size = Address.of(uri), staged.stat().st_size
        put_it = partial(self._put_or_complete, staged, size, address, sha256, served)
        refused: str | None = None
        for _ in range(LOOKS):
            found = _head(address)
            if _is_ours(found, sha256, size):
                break
            if found is not None and not overwrite:
                raise _appeared(address)
            check()
            if self._write(put_it, size, address, sha256, _unchanged(found, refused)):
                break
            if not overwrite:
                raise _appeared(address)
            refused = found["ETag"] if found else None
        else:
            raise _never_still(address, found)
        self._uploads.drop(address, sha256=sha256)

    def _write(
        self,
        put_it: Callable[[Condition], None],
        size: int,
        address: Address,
        sha256: str,
        condition: Condition,
    ) -> bool:
        """Write on a condition; False if it does not hold."""
        try:
            try:
                put_it(condition)
            except ClientError as error:
                if code_of(error) not in NOT_KNOWN:
                    raise
                put_it({})
        except (ClientError, BotoCoreError) as error:
            # The answer may have been lost, and the request repeated: the object tells.
            if _is_ours(_head(address), sha256, size):
                return True
            if code_of(error) in _CONDITION_FAILED:
                return False
            with writing(address):
                raise
        return True

    def _put_or_complete(
        self,
        staged: Path,
        size: int,
        address: Address,
        sha256: str,
        served: Served | None,
        condition: Condition,
    ) -> None:
        if size <= LEAST_PART_BYTES:
            put(address, staged.read_bytes(), sha256, condition, served)
            return
        upload = self._sent(address, sha256, size)
        if upload is None:  # nobody called `upload`, or a life-cycle rule aborted what it sent
            self.send(staged, str(address), sha256, _PUBLISHING, served)
            upload = self._sent(address, sha256, size)
        if upload is None:
            raise StorageUnavailable(f"the upload of {address} is gone; it begins anew")
        complete(upload, condition)

    def _sent(self, address: Address, sha256: str, size: int) -> Upload | None:
        """An upload that has all its parts."""
        found = self._uploads.find(address, sha256, size)
        return next((upload for upload in found if not upload.missing), None)


# Jobs cannot have such ids.
_TRYING = "may we write?"
_PUBLISHING = "publish()"


def _look_at(address: Address) -> HeadObjectOutputTypeDef:
    with reading(address):
        return client().head_object(Bucket=address.bucket, Key=address.key)


def _look(address: Address) -> S3Object:
    found = _look_at(address)
    size, etag = found["ContentLength"], found["ETag"]
    parts = [etag.strip('"'), f"{size:x}"]
    if found.get("VersionId", "null") != "null":
        parts.append(found["VersionId"])
    return S3Object(address, etag, size, "-".join(parts))


async def _pinned(source: Source) -> S3Object:
    """The object, if it is still the one that was pinned."""
    address = Address.of(source.uri)
    try:
        found = await transfer(lambda _: _look(address))
    except InputNotFound as error:
        raise InputNotFound(f"{address} was removed while the job ran") from error
    if found.version != source.version:
        raise changed(str(address))
    return found


def _head(address: Address) -> HeadObjectOutputTypeDef | None:
    """What lies at an output's address; None if nothing does, or if that is not told to us:
    without the right to list, S3 says 403 of what is not there."""
    with writing(address):
        try:
            return client().head_object(Bucket=address.bucket, Key=address.key)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchKey", "NotFound", "403", "AccessDenied"):
                return None
            raise


def _read_small(address: Address, most_bytes: int) -> bytes:
    with reading(address):
        answer = client().get_object(Bucket=address.bucket, Key=address.key)
        with contextlib.closing(answer["Body"]) as body:
            if answer["ContentLength"] > most_bytes:
                raise too_large(str(address), most_bytes)
            return body.read()


def _must_be_free(address: Address, overwrite: bool) -> None:
    if not overwrite and _head(address) is not None:
        raise OutputConflict(f"{address} exists already; use --overwrite, or another name")


def _is_ours(found: HeadObjectOutputTypeDef | None, sha256: str, size: int) -> bool:
    return found is not None and noted_sha256(found) == sha256 and found["ContentLength"] == size


def _unchanged(found: HeadObjectOutputTypeDef | None, refused: str | None) -> Condition:
    if found is None:
        return {"IfNoneMatch": "*"}
    if found["ETag"] == refused:  # Ceph refuses each ETag in a bucket with versions
        return {}
    return {"IfMatch": found["ETag"]}


def _never_still(address: Address, found: HeadObjectOutputTypeDef | None) -> LongtakeError:
    if found is None:
        return OutputConflict(
            f"{address} is there but may not be looked at, so it cannot be replaced; the workers "
            "need s3:GetObject on it"
        )
    return StorageUnavailable(f"{address} is written by somebody else again and again")


def _appeared(address: Address) -> OutputConflict:
    return OutputConflict(
        f"{address} is there already, with other bytes; use --overwrite, or another name"
    )
