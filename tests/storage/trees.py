"""Small packages, and attempts to publish them as the step does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longtake.contracts.result import Output
from storage import trees
from storage.bucket_store import BucketStore
from storage.cache import FingerprintCache
from storage.folder import Folder
from storage.folder_store import FolderStore
from storage.host_cache import HostCache
from storage.local import LocalStorage
from storage.s3 import S3Storage
from storage.tree import members, pack
from storage.trees import Publication, discard_tree
from storage.work import WorkStore
from tests.patience import WAIT_S

Files = dict[str, bytes]


def package(colour: str, segments: int = 4, segment_bytes: int = 400) -> Files:
    """The files of a package, by name: what it shows is in its segments and its poster."""
    rung = {
        f"{n:05}.m4s": f"{colour} {n} ".encode().ljust(segment_bytes, b".")
        for n in range(1, segments + 1)
    }
    rung |= {"init.mp4": b"ftyp", "playlist.m3u8": "\n".join(sorted(rung)).encode()}
    folder = f"h264-720p-{sha256(repr(sorted(rung.items())).encode())[:12]}"
    files = {f"{folder}/{name}": data for name, data in rung.items()}
    files |= {"audio-en-00112233aabb/00001.m4s": b"sound", "poster.jpg": colour.encode()}
    listed = [
        {"path": name, "bytes": len(data), "sha256": sha256(data)}
        | ({"content_type": "audio/mp4"} if name.startswith("audio-") else {})
        for name, data in sorted(files.items())
    ]
    files["manifest.mpd"] = f"<MPD>{folder}</MPD>".encode()
    files["master.m3u8"] = f"#EXTM3U\n{folder}/playlist.m3u8\n".encode()
    files["package.json"] = json.dumps({"files": listed}).encode()
    return files


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Interrupted(Exception):
    """A death that lets the test go on."""


class Dying:
    """A folder that does what it is told to before its n-th change; all else is the folder's."""

    def __init__(self, folder: Folder, before: int, death: Callable[[], None]) -> None:
        self._folder, self._left, self._death = folder, before, death
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._folder, name)

    def _count(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                self._death()

    def put(self, *args: Any, **options: Any) -> None:
        self._count()
        self._folder.put(*args, **options)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._count()
            self._folder.remove([name])


def interrupt() -> None:
    raise Interrupted


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Attempts:
    """Attempts of jobs to publish into one folder."""

    store: WorkStore
    folder: Folder
    scratch: Path

    async def attempt(self, files: Files, job_id: str, *, overwrite: bool = False) -> Publication:
        """The next attempt of a job, with the highest term."""
        key = sha256(repr(sorted(files.items())).encode())
        tar = self.scratch / f"{key}.tar"
        if not tar.exists():
            for name, data in files.items():
                path = self.scratch / key / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            pack(self.scratch / key, tar)
        terms = self.scratch / "terms"
        terms.mkdir(parents=True, exist_ok=True)
        (terms / str(term := len(list(terms.iterdir())) + 1)).touch()
        return Publication(
            self.store,
            self.folder,
            await self.store.lease("output", term),
            members(tar),
            job_id=job_id,
            tree_key=key,
            output=self.folder.identity,
            overwrite=overwrite,
        )

    async def publish(
        self, files: Files, job_id: str = "job", *, overwrite: bool = False
    ) -> tuple[Output, ...]:
        """A whole attempt."""
        publication = await self.attempt(files, job_id, overwrite=overwrite)
        await publication.begin()
        if not publication.is_live:
            await asyncio.to_thread(publication.fill, threading.Event())
        return await asyncio.to_thread(publication.show, threading.Event())

    async def discard(self, job_id: str = "job") -> None:
        """What `conclude` does when a job did not end well."""
        await discard_tree(self.store, self.folder, job_id)

    def dying(self, before: int, death: Callable[[], None] = interrupt) -> Attempts:
        """The same with a folder in which something dies."""
        return replace(self, folder=Dying(self.folder, before, death))


def no_waits() -> None:
    """Nobody caches what a test replaces; files come one after the other."""
    trees.ENTRY_AGE_S = 0
    trees.SIDE_BY_SIDE = 1


def attempts_in(scratch: Path, bucket: str | None) -> Attempts:
    """Into a folder, or with `bucket` into that, where then the work store lies, too."""
    hashes = FingerprintCache(scratch / "cache")
    if bucket is None:
        folder = LocalStorage(hashes).folder(str(scratch / "out"))
        return Attempts(FolderStore(scratch / "work"), folder, scratch / "scratch")
    cache = HostCache(scratch / "cache", 1 << 30, hashes)
    store = BucketStore(f"s3://{bucket}/store", scratch / "cache" / "work", cache)
    outputs = S3Storage(cache, store).folder(f"s3://{bucket}/films/out/")
    return Attempts(store, outputs, scratch / "scratch")


def killed(scratch: Path, bucket: str | None, colour: str, before: int, overwrite: bool) -> None:
    """An attempt in a process of its own, which is killed as it writes its n-th file."""
    _killed(_ATTEMPT, scratch, bucket, colour, str(before), str(overwrite))


def killed_as_it_puts_back(scratch: Path, bucket: str | None) -> None:
    """The same with what ends a job that did not end well."""
    _killed(_END, scratch, bucket)


def _killed(program: str, scratch: Path, bucket: str | None, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, scratch, bucket or "", *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


_ATTEMPT = """
import asyncio, sys
from pathlib import Path
from storage.tree import Member
from tests.storage import trees

scratch, bucket, colour, before, overwrite = sys.argv[1:]

def die_half_way():
    def half(member, path):
        path.write_bytes(member.read()[:3])
        trees.kill()
    Member.copy_to = half

trees.no_waits()
attempts = trees.attempts_in(Path(scratch), bucket or None).dying(int(before), die_half_way)
files = trees.package(colour)
asyncio.run(attempts.publish(files, overwrite=overwrite == "True"))
"""

_END = """
import asyncio, sys
from pathlib import Path
from storage.local import LocalStorage
from storage.s3 import S3Storage
from tests.storage import trees

scratch, bucket = sys.argv[1:]
LocalStorage.publish = S3Storage.publish = lambda *_, **__: trees.kill()
asyncio.run(trees.attempts_in(Path(scratch), bucket or None).discard())
"""
