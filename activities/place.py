"""Where a worker's steps find things: the work store, the storages, the job index."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from longtake.contracts.chapters import Chapters
from longtake.errors import InvalidJob, ResourceExhausted
from longtake.index import JobIndex
from longtake.paths import scheme_of, shown
from longtake.settings import Home, cache_bytes
from media.index import Index
from media.plan import Plan
from storage.base import Storage
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.local import LocalStorage
from storage.work import WorkStore


@dataclass(frozen=True)
class Place:
    """The storages of a worker process."""

    store: WorkStore
    files: LocalStorage
    cache: HostCache
    jobs: JobIndex

    def storage(self, uri: str) -> Storage:
        """The storage that holds `uri`. Raises InvalidJob if none does."""
        scheme = scheme_of(uri)
        if scheme is None:
            return self.files
        if scheme == "s3":
            return _s3(self.cache, self.store)
        if scheme in ("https", "http"):
            return _http(self.cache)
        raise InvalidJob(
            f"{shown(uri)}: {scheme}:// is not supported; use a path, s3:// or, to read, https://"
        )

    def part(self, key: str) -> Path:
        """The finished part under a key. Raises ResourceExhausted if it is gone."""
        path = self.store.find(key)
        if path is None:
            raise ResourceExhausted(
                f"the finished part {key} is gone from the work store; was it swept while the job "
                "ran? Start the job again: it makes what is missing"
            )
        return path

    def plan(self, key: str) -> Plan:
        """The plan under a key."""
        return _plan(self.store, key)

    def chapters(self, key: str) -> Chapters:
        """The found chapters under a key."""
        return Chapters.model_validate_json(self.store.read(key))

    def index(self, key: str) -> Index:
        """The packet index under a key."""
        return _index(self.store, key)


@functools.cache
def place() -> Place:
    """The place that this process's environment names."""
    home = Home.from_environment()
    store = WorkStore(home.work_store)
    store.drop_dead_drafts()  # of workers that were killed on this host
    hashes = FingerprintCache(home.cache)
    return Place(
        store=store,
        files=LocalStorage(hashes),
        cache=HostCache(home.cache, cache_bytes(), hashes),
        jobs=JobIndex(home.jobs),
    )


@functools.cache
def _s3(cache: HostCache, store: WorkStore) -> Storage:
    from storage.s3 import S3Storage  # boto3 takes a second to import

    return S3Storage(cache, store)


# Content under a key never changes, so it may be kept.
@functools.lru_cache(maxsize=8)
def _plan(store: WorkStore, key: str) -> Plan:
    return Plan.model_validate_json(store.read(key))


@functools.lru_cache(maxsize=8)
def _index(store: WorkStore, key: str) -> Index:
    return Index.from_bytes(store.read(key))


@functools.cache
def _http(cache: HostCache) -> Storage:
    from storage.http import HttpStorage

    return HttpStorage(cache)
