"""Files appear whole or not at all, are never replaced by surprise, and are known by content."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from longtake.errors import (
    InputCorrupt,
    InputForbidden,
    InputNotFound,
    InputUnsupported,
    InvalidJob,
    OutputConflict,
    ResourceExhausted,
)
from storage import lock
from storage.cache import FingerprintCache
from storage.folder_store import FolderStore
from storage.local import LocalStorage, path_of, sha256_of
from storage.work import content_key
from tests.patience import WAIT_S


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(FingerprintCache(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "work")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a/b.mp4", "/a/b.mp4"),
        ("file:///a/b%20c.mp4", "/a/b c.mp4"),
        ("file://localhost/a/b.mp4", "/a/b.mp4"),
        ("/a/weird:name?#%20.mp4", "/a/weird:name?#%20.mp4"),
    ],
)
def test_paths_and_file_uris(uri: str, path: str) -> None:
    assert path_of(uri) == Path(path)


@pytest.mark.parametrize("uri", ["s3://bucket/key", "https://host/x.mp4", "file://host/x.mp4"])
def test_other_schemes_are_refused_with_words(uri: str) -> None:
    with pytest.raises(InvalidJob):
        path_of(uri)


async def test_a_changed_source_fails_with_words(storage: LocalStorage, tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    path.write_bytes(b"one")
    source = await storage.fingerprint(str(path))
    assert source.sha256 == sha256_of(path)
    assert await storage.localize(source) == path
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputCorrupt, match="changed while the job ran"):
        await storage.localize(source)
    assert (await storage.fingerprint(str(path))).sha256 == sha256_of(path)


async def test_sources_that_cannot_be_read(storage: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        await storage.fingerprint(str(tmp_path / "none.mp4"))
    with pytest.raises(InputUnsupported):
        await storage.fingerprint(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_forbidden_source(storage: LocalStorage, tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(InputForbidden):
        await storage.fingerprint(str(path))


def test_an_output_that_cannot_be_written_is_refused_early(
    storage: LocalStorage, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.mp4"
    taken.touch()
    for uri in (tmp_path, taken, tmp_path / "no" / "folder.mp4"):
        with pytest.raises(OutputConflict):
            storage.check_output(str(uri), "in.mp4", overwrite=False)
    storage.check_output(str(taken), "in.mp4", overwrite=True)


def test_the_source_by_another_name_is_no_output(storage: LocalStorage, tmp_path: Path) -> None:
    source, alias = tmp_path / "in.mp4", tmp_path / "alias.mp4"
    source.write_bytes(b"the only copy")
    alias.symlink_to(source)
    with pytest.raises(InvalidJob, match="the source itself"):
        storage.check_output(str(source), str(alias), overwrite=True)


def test_publishing_never_replaces_by_surprise(storage: LocalStorage, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"somebody else's")
    with storage.staging(str(target), "job") as staged:
        staged.write_bytes(b"ours")
        sha256 = sha256_of(staged)
        with pytest.raises(OutputConflict):
            storage.publish(staged, str(target), sha256, overwrite=False, check=lambda: None)
        assert target.read_bytes() == b"somebody else's"
        storage.publish(staged, str(target), sha256, overwrite=True, check=lambda: None)
    assert target.read_bytes() == b"ours"
    assert list(tmp_path.glob(".*")) == []


def test_publishing_the_same_bytes_again_touches_nothing(
    storage: LocalStorage, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    inodes = set()
    for overwrite in (False, False, True):
        with storage.staging(str(target), "job") as staged:
            staged.write_bytes(b"ours")
            sha256 = sha256_of(staged)
            storage.publish(staged, str(target), sha256, overwrite=overwrite, check=lambda: None)
            inodes.add(target.stat().st_ino)
    assert target.read_bytes() == b"ours"
    assert len(inodes) == 1


def test_what_a_killed_attempt_left_is_removed(storage: LocalStorage, tmp_path: Path) -> None:
    target = tmp_path / "a [b]*.mp4"
    with storage.staging(str(target), "job") as staged:
        left = staged.with_name(f"{staged.name[:-13]}deadbeef.part")
        left.touch()
    other = tmp_path / ".other.mp4.part"
    other.touch()
    storage.discard_staged(str(target), "job")
    assert not left.exists()
    assert other.exists()


async def test_what_lies_under_a_key_is_never_replaced(store: FolderStore) -> None:
    key = content_key("chunk", source="abc", range=[0, 10])
    await store.put(key, b"first")
    inode = (await store.hold(key)).stat().st_ino
    await store.put(key, b"second")
    assert await store.read(key) == b"first"
    assert store.path(key).stat().st_ino == inode
    assert not list((store.folder / "tmp").iterdir())


def test_keys_follow_content_not_order() -> None:
    assert content_key("a", x=1, y=2) == content_key("a", y=2, x=1)
    assert content_key("a", x=1) != content_key("a", x=2)
    assert content_key("a", x=1) != content_key("b", x=1)


async def test_many_writers_of_one_key_leave_one_whole_object(store: FolderStore) -> None:
    key, data = content_key("chunk", n=1), os.urandom(1 << 20)
    await asyncio.gather(*(store.put(key, data) for _ in range(16)))
    assert await store.read(key) == data


async def test_a_missing_object_says_what_to_do(store: FolderStore) -> None:
    assert not await store.has(content_key("chunk", n=2))
    with pytest.raises(ResourceExhausted, match="start the job again"):
        await store.read(content_key("chunk", n=2))


async def test_a_later_term_takes_the_right_to_publish(store: FolderStore) -> None:
    early, late = await store.lease("output", 1), await store.lease("output", 2)
    published: list[str] = []
    with pytest.raises(ResourceExhausted, match="later attempt"):
        early.publish(lambda: published.append("early"))
    late.publish(lambda: published.append("late"))
    with pytest.raises(ResourceExhausted, match="later attempt"):
        (await store.lease("output", 1)).publish(lambda: published.append("returned"))
    assert published == ["late"]


async def test_a_holder_that_stands_still_holds_nobody_up_for_ever(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT_S", 0.2)
    lease = await store.lease("output", 1)
    inside, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        inside.set()
        go_on.wait(30)

    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(lease.publish, stand_still)
        await asyncio.to_thread(inside.wait, 30)
        with pytest.raises(ResourceExhausted, match="does not move"):
            await store.lease("output", 2)
        go_on.set()
        frozen.result()
    (await store.lease("output", 2)).publish(lambda: None)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a /proc")
def test_a_folder_that_takes_no_file_is_told_from_one_that_does() -> None:
    files = LocalStorage(FingerprintCache(Path("/nowhere")))
    with pytest.raises(OutputConflict, match="may not be written"):
        files.check_output("/proc/a.mp4", "/media/a.mov", overwrite=False)
    with pytest.raises(OutputConflict, match="/proc may not be written"):
        files.check_folder("/proc/a", "/media/a.mov", ["a.srt"], overwrite=False)


def test_a_folder_that_went_while_the_job_ran_is_named(tmp_path: Path) -> None:
    files = LocalStorage(FingerprintCache(tmp_path))
    output = tmp_path / "episodes" / "a.mp4"
    output.parent.mkdir()
    files.check_output(str(output), "/media/a.mov", overwrite=False)
    output.parent.rmdir()
    staging = files.staging(str(output), "job")
    with pytest.raises(OutputConflict, match=f"no folder {output.parent}; make it"), staging:
        pass


def test_drafts_of_dead_processes_are_dropped(store: FolderStore) -> None:
    script = (
        "import os, sys; from pathlib import Path; from storage.folder_store import FolderStore\n"
        "with FolderStore(Path(sys.argv[1])).drafting('chunk-1') as draft:\n"
        "    draft.write_bytes(b'half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(store.folder)], check=False, timeout=WAIT_S)
    with store.drafting("chunk-2") as alive:
        alive.write_bytes(b"mine")
        assert store.drop_dead_drafts() == 1
        assert alive.exists()


async def test_sweep_removes_what_was_not_used(store: FolderStore) -> None:
    old, used = content_key("a", n=1), content_key("a", n=2)
    for key in (old, used):
        await store.put(key, b"xx")
        os.utime(store.path(key), (1, 1))
    assert await store.has(used)  # a use makes it young again
    assert store.sweep(older_than_s=60) == (1, 2)
    assert await store.has(used)
    assert not await store.has(old)
