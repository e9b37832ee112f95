"""A prefix of a bucket as a folder of outputs."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from longtake.content_type import Served
from longtake.errors import InvalidJob
from storage.address import Address
from storage.s3_client import client, code_of, writing
from storage.tree import Member
from storage.uploads import LEAST_PART_BYTES

if TYPE_CHECKING:
    from storage.s3 import S3Storage

_MISSING = {"NoSuchKey", "404", "NotFound"}
_SIDE_BY_SIDE = 32
_LARGE = threading.BoundedSemaphore(2)
"""Large files are few at a time: each sends its parts side by side, out of memory."""


class S3Folder:
    """Objects appear whole; there are no folders but in names."""

    def __init__(self, storage: S3Storage, uri: str) -> None:
        """`uri`: `s3://bucket/prefix`, or a whole bucket. Raises InvalidJob for anything else."""
        self._bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not self._bucket:
            raise InvalidJob(f"{uri} names no bucket; write s3://bucket/folder")
        prefix = prefix.strip("/")
        self._storage = storage
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def identity(self) -> str:
        """Bucket and prefix, without a slash at the end."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def at(self, name: str) -> str:
        """The URI of an object under it."""
        return str(self._address(name))

    def is_there(self) -> bool:
        """Always: there is nothing to make."""
        return True

    def make(self) -> None:
        """Nothing: there are no folders."""

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of those of these objects that are there, by lists: a thousand in a request.

        What else lies under the prefix is not listed, but what lies in the same folders.
        """
        wanted: dict[str, set[str]] = defaultdict(set)
        for name in names:
            folder, slash, _ = name.rpartition("/")
            wanted[folder + slash].add(name)
        with ThreadPoolExecutor(_SIDE_BY_SIDE, "list") as pool:
            lists = pool.map(self._list, wanted)
            return {
                name: size
                for found, names_ in zip(lists, wanted.values(), strict=True)
                for name, size in found.items()
                if name in names_
            }

    def _list(self, folder: str) -> dict[str, int]:
        address = self._address(folder)
        found = {}
        with writing(address):
            pages = client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=address.key, Delimiter="/"):
                for each in page.get("Contents", ()):
                    found[each["Key"].removeprefix(self._prefix)] = each["Size"]
        return found

    def read(self, name: str) -> bytes | None:
        """The bytes of a small object; None if it is not there."""
        with writing(self._address(name)):
            try:
                answer = client().get_object(Bucket=self._bucket, Key=self._prefix + name)
                return answer["Body"].read()
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise

    def put(
        self,
        member: Member,
        job_id: str,
        served: Served,
        *,
        overwrite: bool,
        check: Callable[[], None],
    ) -> None:
        """Send the file on condition that nobody else has put another one there meanwhile."""
        uri, sha256 = self.at(member.name), member.sha256()
        large = _LARGE if member.size > LEAST_PART_BYTES else contextlib.nullcontext()
        with large, self._storage.staging(uri, job_id) as staged:
            member.copy_to(staged)
            self._storage.send(staged, uri, sha256, job_id, served)
            self._storage.publish(
                staged, uri, sha256, overwrite=overwrite, check=check, served=served
            )

    def restore(self, name: str, data: bytes, job_id: str, served: Served) -> None:
        """Put back what lay under a name."""
        uri, sha256 = self.at(name), hashlib.sha256(data).hexdigest()
        with self._storage.staging(uri, job_id) as staged:
            staged.write_bytes(data)
            self._storage.publish(
                staged, uri, sha256, overwrite=True, check=lambda: None, served=served
            )

    def used(self, names: Iterable[str]) -> None:
        """Nothing: only what is written anew is young, and has another version id."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove these objects. One by one: for many at once, endpoints want checksums of
        different kinds."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE, "remove") as pool:
            for removed in [pool.submit(self._remove, name) for name in names]:
                removed.result()

    def _remove(self, name: str) -> None:
        with writing(self._address(name)):
            client().delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def discard(self, sizes: Mapping[str, int], job_id: str) -> None:
        """Abort the uploads that killed attempts of a job left; small files have none."""
        for name, size in sizes.items():
            if size > LEAST_PART_BYTES:
                self._storage.discard_staged(self.at(name), job_id)

    def remove_if_empty(self) -> None:
        """Nothing: there are no folders."""

    def _address(self, name: str) -> Address:
        return Address(self._bucket, self._prefix + name)
