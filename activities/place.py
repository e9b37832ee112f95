"""Where a worker's steps find things: the work store, the storages, the job index."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from longtake.contracts.chapters import Chapters
from longtake.errors import InvalidJob, UserError
from longtake.index import JobIndex
from longtake.paths import scheme_of, shown
from longtake.settings import Home, cache_bytes
from media.package.plan import PackagePlan
from media.probing.index import Index
from media.programme.plan import StitchPlan
from media.speech.plan import SpeechPlan, SpokenWindows
from media.transcode.plan import Plan
from storage.base import Storage
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.local import LocalStorage
from storage.open_store import open_store
from storage.work import WorkStore

MOST_KEPT = 8

T = TypeVar("T")


@contextmanager
def called(uri: str, path: Path) -> Iterator[None]:
    """What is wrong with a file is told of the address that it came from: whoever gave that knows
    nothing of this host's cache."""
    try:
        yield
    except UserError as error:
        raise type(error)(error.message.replace(str(path), shown(uri))) from error


def lines(data: bytes) -> tuple[str, ...]:
    """The lines of a text."""
    # Of bytes: text also ends lines at characters that names may have.
    return tuple(line.decode() for line in data.splitlines())


class Kept(Generic[T]):
    """What was read from the work store last. Content under a key never changes."""

    def __init__(self, store: WorkStore, parse: Callable[[bytes], T]) -> None:
        self._store, self._parse = store, parse
        self._read: OrderedDict[str, T] = OrderedDict()

    async def get(self, key: str) -> T:
        """What lies under a key. Raises ResourceExhausted if it is gone."""
        if key not in self._read:
            self._read[key] = self._parse(await self._store.read(key))
        self._read.move_to_end(key)
        while len(self._read) > MOST_KEPT:
            self._read.popitem(last=False)
        return self._read[key]


@dataclass(frozen=True)
class Place:
    """The storages of a worker process."""

    store: WorkStore
    files: LocalStorage
    cache: HostCache
    jobs: JobIndex
    plans: Kept[Plan]
    indexes: Kept[Index]
    stitch_plans: Kept[StitchPlan]
    package_plans: Kept[PackagePlan]
    speech_plans: Kept[SpeechPlan]
    windows: Kept[SpokenWindows]
    manifests: Kept[tuple[str, ...]]

    def storage(self, uri: str) -> Storage:
        """The storage that holds `uri`. Raises InvalidJob if none does."""
        scheme = scheme_of(uri)
        if scheme is None:
            return self.files
        if scheme == "s3":
            return self._s3
        if scheme in ("https", "http"):
            return self._http
        raise InvalidJob(
            f"{shown(uri)}: {scheme}:// is not supported; use a path, s3:// or, to read, https://"
        )

    @functools.cached_property
    def _s3(self) -> Storage:
        from storage.s3 import S3Storage  # boto3 takes a second to import

        return S3Storage(self.cache, self.store)

    @functools.cached_property
    def _http(self) -> Storage:
        from storage.http import HttpStorage

        return HttpStorage(self.cache)

    async def plan(self, key: str) -> Plan:
        """The plan under a key."""
        return await self.plans.get(key)

    async def chapters(self, key: str) -> Chapters:
        """The found chapters under a key."""
        return Chapters.model_validate_json(await self.store.read(key))

    async def stitch_plan(self, key: str) -> StitchPlan:
        """The plan of a programme under a key."""
        return await self.stitch_plans.get(key)

    async def package_plan(self, key: str) -> PackagePlan:
        """The plan of a package under a key."""
        return await self.package_plans.get(key)

    async def speech_plan(self, key: str) -> SpeechPlan:
        """The plan to hear a sound under a key."""
        return await self.speech_plans.get(key)

    async def spoken_windows(self, key: str) -> SpokenWindows:
        """The windows of a sound under a key."""
        return await self.windows.get(key)

    async def index(self, key: str) -> Index:
        """The packet index under a key."""
        return await self.indexes.get(key)


@functools.cache
def place() -> Place:
    """The place that this process's environment names."""
    home = Home.from_environment()
    hashes = FingerprintCache(home.cache)
    cache = HostCache(home.cache, cache_bytes(), hashes)
    store = open_store(home, cache)
    store.drop_dead_drafts()  # of workers that were killed on this host
    return Place(
        store=store,
        files=LocalStorage(hashes),
        cache=cache,
        jobs=JobIndex(home.jobs),
        plans=Kept(store, Plan.model_validate_json),
        indexes=Kept(store, Index.from_bytes),
        stitch_plans=Kept(store, StitchPlan.model_validate_json),
        package_plans=Kept(store, PackagePlan.model_validate_json),
        speech_plans=Kept(store, SpeechPlan.model_validate_json),
        windows=Kept(store, SpokenWindows.model_validate_json),
        manifests=Kept(store, lines),
    )
