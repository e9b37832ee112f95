"""A package appears whole, its manifests last; killed, it goes on; cancelled, nothing is left."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import OutputConflict, ResourceExhausted, StorageUnavailable
from longtake.settings import Home
from storage import claims, sweep, trees
from storage.listing import names_in, read_listing
from storage.tree import ENTRIES, Member, tree_sha256
from storage.uploads import LEAST_PART_BYTES
from tests.e2e.service import until
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.trees import (
    Attempts,
    Files,
    Interrupted,
    attempts_in,
    killed,
    package,
    sha256,
)

RED, BLUE = package("red"), package("blue")
CHANGES = len(RED)
"""That an undisturbed attempt makes: a file each."""
LAST = CHANGES - 1
"""Changes after which all is there but master.m3u8."""


@dataclass(frozen=True)
class Place:
    """Where a test publishes, seen past the code under test."""

    attempts: Attempts
    scratch: Path
    box: Bucket | None

    def names(self) -> set[str]:
        """Of all that lies there, hidden files too."""
        if self.box is not None:
            prefix = "films/out/"
            names = [name for name in self.box.names() if name.startswith(prefix)]
            return {name.removeprefix(prefix) for name in names}
        out = self.scratch / "out"
        return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}

    def shown(self) -> set[str]:
        """Names of what lies there for all to see."""
        return {name for name in self.names() if not name.startswith(".longtake-")}

    def files(self) -> Files:
        """All that lies there, with its bytes."""
        if self.box is not None:
            return {name: self.box.get(f"films/out/{name}") for name in self.names()}
        return {name: (self.scratch / "out" / name).read_bytes() for name in self.names()}

    def put(self, name: str, data: bytes) -> None:
        """Somebody else writes."""
        if self.box is not None:
            self.box.put(f"films/out/{name}", data)
        else:
            (self.scratch / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / "out" / name).write_bytes(data)

    def remove(self, name: str) -> None:
        if self.box is not None:
            self.box.s3.delete_object(Bucket=self.box.name, Key=f"films/out/{name}")
        else:
            (self.scratch / "out" / name).unlink()

    def kill(self, colour: str, before: int, *, overwrite: bool = False) -> None:
        """An attempt is killed as it writes its n-th file."""
        killed(self.scratch, self.box.name if self.box else None, colour, before, overwrite)

    def is_settled(self) -> bool:
        """Nothing of any job is noted as begun, and no upload is open."""
        if self.box is not None:
            begun = [name for name in self.box.names() if name.startswith("store/claims/")]
            return not begun and not self.box.open_uploads()
        return not list((self.scratch / "work" / "claims").glob("*.json"))


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    box: Bucket | None = None
    if request.param == "bucket":
        request.getfixturevalue("proxy")
        box = request.getfixturevalue("box")
    monkeypatch.setattr(trees, "ENTRY_AGE_S", 0)
    monkeypatch.setattr(trees, "SIDE_BY_SIDE", 1)
    return Place(attempts_in(tmp_path, box.name if box else None), tmp_path, box)


def digest(files: Files) -> str:
    return tree_sha256((name, sha256(data)) for name, data in files.items())


async def test_whoever_sees_a_manifest_sees_all_that_it_names(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "SIDE_BY_SIDE", 16)
    files, over = package("red", 40), threading.Event()
    torn: list[set[str]] = []
    looks: set[int] = set()

    def look() -> None:
        while not over.is_set():
            seen = place.names()
            looks.add(len(seen))
            if {"manifest.mpd", "master.m3u8"} & seen:
                torn.append(files.keys() - seen - {"master.m3u8"})

    with ThreadPoolExecutor(1) as watching:
        watched = watching.submit(look)
        try:
            outputs = await place.attempts.publish(files)
        finally:
            over.set()
        watched.result()
    assert not any(torn)
    assert len(looks) > 2, "it was looked at in the middle"
    assert place.files() == files
    assert [(output.role, output.uri.rpartition("/")[2]) for output in outputs] == [
        ("hls", "master.m3u8"),
        ("dash", "manifest.mpd"),
        ("listing", "package.json"),
    ]
    assert all(output.sha256 == sha256(files[Path(output.uri).name]) for output in outputs)
    assert place.is_settled()


@pytest.mark.parametrize("before", [0, 3, CHANGES - 2, LAST])
async def test_an_attempt_that_fails_anywhere_is_gone_on_with(place: Place, before: int) -> None:
    with pytest.raises(Interrupted):
        await place.attempts.dying(before).publish(RED)
    there = place.files()
    assert len(there) == before
    assert not set(ENTRIES) & there.keys() or before > CHANGES - 3
    await place.attempts.publish(RED)
    assert digest(place.files()) == digest(RED)
    assert place.is_settled()


@pytest.mark.kill
@pytest.mark.parametrize("before", [3, LAST])
async def test_a_killed_attempt_is_gone_on_with_and_what_is_there_stays(
    place: Place, before: int
) -> None:
    place.kill("red", before)
    assert len(place.shown()) == before
    written = _writings(place)
    await place.attempts.publish(RED)
    assert digest(place.files()) == digest(RED)
    assert written.items() <= _writings(place).items(), "written again"
    assert place.is_settled()


def _writings(place: Place) -> dict[str, Any]:
    """When each file was written."""
    if place.box is None:
        out = place.scratch / "out"
        return {name: (out / name).stat().st_mtime_ns for name in place.shown()}
    found = place.box.s3.list_object_versions(Bucket=place.box.name, Prefix="films/out/")
    return {each["Key"]: each["LastModified"] for each in found["Versions"]}


@pytest.mark.kill
@pytest.mark.parametrize("before", [3, LAST])
async def test_killed_and_cancelled_nothing_is_left(place: Place, before: int) -> None:
    place.put("readme.txt", b"somebody else's")
    place.kill("red", before)
    await place.attempts.discard("another job")
    assert len(place.shown()) == 1 + before
    await place.attempts.discard()
    assert place.files() == {"readme.txt": b"somebody else's"}
    assert place.is_settled()


async def test_the_folder_that_was_made_goes_too(place: Place) -> None:
    with pytest.raises(Interrupted):
        await place.attempts.dying(3).publish(RED)
    await place.attempts.discard()
    assert place.files() == {}
    assert not (place.scratch / "out").exists()


@pytest.mark.kill
@pytest.mark.parametrize("before", [3, CHANGES - 2, LAST])
async def test_killed_while_it_replaces_and_cancelled_the_old_package_is_whole(
    place: Place, before: int
) -> None:
    """Whichever of its entries and pictures were replaced already."""
    await place.attempts.publish(RED, "before")
    place.kill("blue", before, overwrite=True)
    assert place.files() != RED
    await place.attempts.discard()
    assert digest(place.files()) == digest(RED)
    assert place.is_settled()


async def test_what_was_replaced_goes_when_the_new_manifest_is_live_and_not_before(
    place: Place,
) -> None:
    await place.attempts.publish(RED, "before")
    place.put("readme.txt", b"somebody else's")
    only_old = RED.keys() - BLUE.keys()
    assert only_old
    with pytest.raises(Interrupted):
        await place.attempts.dying(CHANGES).publish(BLUE, overwrite=True)
    assert place.files()["master.m3u8"] == BLUE["master.m3u8"]
    assert only_old <= place.files().keys()
    with pytest.raises(Interrupted):  # and again, when one of them is gone
        await place.attempts.dying(1).publish(BLUE, overwrite=True)
    assert len(only_old & place.files().keys()) == len(only_old) - 1
    await place.attempts.publish(BLUE, overwrite=True)
    assert place.files() == BLUE | {"readme.txt": b"somebody else's"}
    assert place.is_settled()


async def test_cancelled_when_all_is_shown_the_rest_of_the_old_package_goes(place: Place) -> None:
    await place.attempts.publish(RED, "before")
    with pytest.raises(Interrupted):
        await place.attempts.dying(CHANGES + 1).publish(BLUE, overwrite=True)
    await place.attempts.discard()
    assert place.files() == BLUE


async def test_a_listing_cannot_have_files_elsewhere_removed(place: Place) -> None:
    mine = place.scratch / "mine.txt"
    mine.write_bytes(b"mine")
    listed = ["../mine.txt", str(mine), "..\\mine.txt", "a/../../mine.txt", "stale.m4s", ""]
    if place.box is None:
        (place.scratch / "out").mkdir()
        (place.scratch / "out" / "link").symlink_to(place.scratch)
        listed.append("link/mine.txt")
    else:
        place.box.put("films/mine.txt", b"mine")
    listing = json.dumps({"files": [{"path": name} for name in listed]}).encode()
    assert {*names_in(read_listing(listing))} - {"link/mine.txt"} == {"stale.m4s", *ENTRIES}
    place.put("stale.m4s", b"of the old package")
    place.put("package.json", listing)
    await place.attempts.publish(BLUE, overwrite=True)
    assert "stale.m4s" not in place.files()
    assert mine.read_bytes() == b"mine"
    assert place.box is None or place.box.get("films/mine.txt") == b"mine"


async def test_an_old_package_without_a_listing_is_replaced_and_nothing_else_removed(
    place: Place,
) -> None:
    place.put("master.m3u8", b"another tool's")
    place.put("seg-1.ts", b"another tool's")
    publication = await place.attempts.attempt(BLUE, "job", overwrite=True)
    await publication.begin()
    assert "no package.json" in " ".join(publication.warnings)
    await place.attempts.publish(BLUE, overwrite=True)
    assert place.files() == BLUE | {"seg-1.ts": b"another tool's"}


async def test_a_manifest_that_the_new_package_lacks_goes_with_the_old_one(place: Place) -> None:
    await place.attempts.publish(RED, "before")
    blue = {name: data for name, data in BLUE.items() if name != "manifest.mpd"}
    await place.attempts.publish(blue, overwrite=True)
    assert place.files() == blue


@pytest.mark.parametrize("name", ENTRIES)
async def test_a_package_is_not_replaced_unasked(place: Place, name: str) -> None:
    place.put(name, b"another package's")
    with pytest.raises(OutputConflict, match="exists already"):
        await place.attempts.publish(RED)
    assert place.files() == {name: b"another package's"}
    assert place.is_settled()


async def test_a_manifest_that_the_new_package_lacks_is_in_the_way_all_the_same(
    place: Place,
) -> None:
    place.put("manifest.mpd", b"another package's")
    with pytest.raises(OutputConflict, match=r"manifest\.mpd exists already"):
        await place.attempts.publish({k: v for k, v in RED.items() if k != "manifest.mpd"})
    assert place.names() == {"manifest.mpd"}


async def test_what_another_package_names_by_now_stays(place: Place) -> None:
    """It has the same segments, and was put there by whoever does not know of our claims."""
    with pytest.raises(Interrupted):
        await place.attempts.dying(3).publish(RED)
    there, theirs = place.files(), RED["package.json"] + b"\n"
    place.put("package.json", theirs)
    await place.attempts.discard()
    assert place.files() == there | {"package.json": theirs}


async def test_an_error_ends_all_that_has_not_begun(place: Place) -> None:
    files = package("red", 300)
    place.put(sorted(files)[1], b"somebody else's, in a folder that is named by its content")
    with pytest.raises(OutputConflict, match="appeared"):
        await place.attempts.publish(files)
    assert len(place.names()) < 10


async def test_a_manifest_that_appears_meanwhile_is_not_replaced(place: Place) -> None:
    publication = await place.attempts.attempt(RED, "job")
    await publication.begin()
    publication.fill(threading.Event())
    place.put("master.m3u8", b"somebody else's")
    with pytest.raises(OutputConflict, match="appeared while the job ran"):
        publication.show(threading.Event())
    await place.attempts.discard()
    assert place.files() == {"master.m3u8": b"somebody else's"}


async def test_the_same_package_again_touches_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.attempts.publish(RED)
    written = _writings(place)
    if place.box is None:
        monkeypatch.setattr(Member, "copy_to", lambda *_: pytest.fail("it is written again"))
    await place.attempts.publish(RED, "another job")
    assert _writings(place) == written
    assert place.is_settled()


@pytest.mark.parametrize("overwrite", [False, True])
async def test_two_jobs_into_one_folder_conflict_before_anything_is_written(
    place: Place, overwrite: bool
) -> None:
    first = await place.attempts.attempt(RED, "first")
    await first.begin()
    first.fill(threading.Event())
    there = place.files()
    with pytest.raises(OutputConflict, match="first is publishing into"):
        trees.check_unclaimed(place.attempts.store, place.attempts.folder, "out")
    with pytest.raises(OutputConflict, match="first is publishing into"):
        await place.attempts.publish(BLUE, "second", overwrite=overwrite)
    await place.attempts.discard("second")
    assert place.files() == there
    await place.attempts.publish(RED, "first")
    assert place.files() == RED
    trees.check_unclaimed(place.attempts.store, place.attempts.folder, "out")


async def test_jobs_that_begin_at_one_moment_are_told_apart(place: Place) -> None:
    contenders = [await place.attempts.attempt(RED, f"job-{n}") for n in range(6)]
    outcomes = await asyncio.gather(*(each.begin() for each in contenders), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, OutputConflict) for outcome in outcomes) == 5


@pytest.mark.kill
async def test_what_a_job_left_that_was_ended_from_outside_makes_way_after_a_while(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.kill("red", 3)
    asleep = await place.attempts.attempt(RED, "job")
    await asleep.begin()
    monkeypatch.setattr(trees, "CLAIM_S", -1.0)
    await place.attempts.publish(BLUE, "next")
    assert place.files() == BLUE
    with pytest.raises((OutputConflict, ResourceExhausted)):
        asleep.show(threading.Event())
    await place.attempts.discard()
    assert place.files() == BLUE
    assert place.is_settled()


async def test_an_attempt_that_slept_shows_nothing(place: Place) -> None:
    asleep = await place.attempts.attempt(RED, "job")
    await asleep.begin()
    asleep.fill(threading.Event())
    await place.attempts.store.lease("output", 99)  # as a later attempt does, and `conclude`
    await place.attempts.discard()
    with pytest.raises(ResourceExhausted, match="later attempt"):
        asleep.show(threading.Event())
    assert place.files() == {}


async def test_an_attempt_that_slept_ends_at_its_next_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LOOK_S", -1.0)
    asleep = await place.attempts.attempt(RED, "job")
    await asleep.begin()
    await place.attempts.store.lease("output", 99)
    with pytest.raises(ResourceExhausted, match="later attempt"):
        asleep.fill(threading.Event())
    assert place.files() == {}


async def test_a_claim_stays_young_while_files_are_put(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "RENEW_S", -1.0)
    publication = await place.attempts.attempt(RED, "job")
    await publication.begin()
    first = place.attempts.store.claims.of(place.attempts.folder.identity)
    publication.fill(threading.Event())
    last = place.attempts.store.claims.of(place.attempts.folder.identity)
    assert first is not None
    assert last is not None
    assert last.claim == first.claim
    assert last.tag != first.tag or place.box is not None  # an object's tag tells its bytes


async def test_a_file_that_vanishes_meanwhile_keeps_the_manifests_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = min(RED)
    sizes = place.attempts.folder.sizes

    def after_a_stranger(_: Any, names: Iterable[str]) -> dict[str, int]:
        if first in place.names():
            place.remove(first)
        return sizes(names)

    monkeypatch.setattr(type(place.attempts.folder), "sizes", after_a_stranger)
    with pytest.raises(StorageUnavailable, match="vanished"):
        await place.attempts.publish(RED)
    assert not set(ENTRIES) & place.files().keys()
    monkeypatch.undo()
    await place.attempts.publish(RED)
    assert place.files() == RED


async def test_a_stop_ends_it_with_nothing_on_its_way(place: Place) -> None:
    publication = await place.attempts.attempt(package("red", 300), "job")
    await publication.begin()
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(publication.fill, stop)
        until(lambda: len(place.names()) >= 3, 60, "some files")
        stop.set()
        with pytest.raises(StorageUnavailable, match="stopped"):
            filling.result()
    assert len(place.names()) < 100, "it went on"
    await place.attempts.discard()
    assert place.files() == {}


def test_a_folder_that_is_a_link_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    attempts = attempts_in(tmp_path, None)
    folder = next(name.split("/")[0] for name in RED if name.startswith("h264"))
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputConflict, match="a link that leads out"):
        asyncio.run(attempts.publish(RED))
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_gc_undoes_what_a_job_left_that_never_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.attempts.publish(RED, "before")
    with pytest.raises(Interrupted):
        await place.attempts.dying(LAST).publish(BLUE, "terminated", overwrite=True)
    monkeypatch.setenv("LONGTAKE_HOME", str(place.scratch))
    if place.box is not None:
        monkeypatch.setenv("LONGTAKE_WORK_STORE", f"s3://{place.box.name}/store")
    there = place.files()
    home = Home.from_environment()
    assert (await asyncio.to_thread(sweep.sweep, home, 86_400))["uploads"] == 0
    assert place.files() == there
    assert (await asyncio.to_thread(sweep.sweep, home, -1))["uploads"] == 1
    assert place.files() == RED
    assert place.is_settled()


@pytest.fixture
def bucket_place(box: Bucket, proxy: FaultyProxy, tmp_path: Path) -> Place:
    return Place(attempts_in(tmp_path, box.name), tmp_path, box)


async def test_browsers_and_caches_are_told_what_each_file_is(
    bucket_place: Place, box: Bucket
) -> None:
    files = RED | {
        "thumbnails/1.jpg": b"1",
        "storyboard.vtt": b"WEBVTT",
        "preview.webp": b"RIFF",
        "h264-00112233aabb/whole.mp4": bytes(LEAST_PART_BYTES + 1),
    }
    await bucket_place.attempts.publish(files)
    told = {}
    for name in files:
        found = box.s3.head_object(Bucket=box.name, Key=f"films/out/{name}")
        suffix = name if name.startswith("audio") else name.rpartition(".")[2]
        told[suffix] = (found["ContentType"], found["CacheControl"])
    for_ever, shortly = "public, max-age=31536000, immutable", "public, max-age=5"
    assert told == {
        "m4s": ("video/iso.segment", for_ever),
        "mp4": ("video/mp4", for_ever),
        "audio-en-00112233aabb/00001.m4s": ("audio/mp4", for_ever),
        "m3u8": ("application/vnd.apple.mpegurl", shortly),
        "mpd": ("application/dash+xml", shortly),
        "json": ("application/json", shortly),
        "jpg": ("image/jpeg", shortly),
        "vtt": ("text/vtt", shortly),
        "webp": ("image/webp", shortly),
    }


async def test_a_bad_network_costs_time_alone(bucket_place: Place, proxy: FaultyProxy) -> None:
    faults: tuple[Fault, ...] = ("503", "reset", "swallow")
    turns = itertools.count()

    def fault(method: str, target: str) -> Fault | None:
        turn = next(turns)
        return faults[turn % 3] if turn % 23 in (3, 4) else None

    await bucket_place.attempts.publish(RED, "before")
    proxy.faults = fault
    await bucket_place.attempts.publish(BLUE, overwrite=True)
    assert {each.fault for each in proxy.asked} >= set(faults)
    proxy.faults = lambda *_: None
    assert bucket_place.files() == BLUE
    assert bucket_place.is_settled()


async def test_each_file_is_put_on_condition_and_once(
    bucket_place: Place, proxy: FaultyProxy
) -> None:
    await bucket_place.attempts.publish(RED)
    puts = proxy.of("PUT", "/films/out/")
    assert {asked.condition for asked in puts} == {"*"}
    assert len(puts) == len(RED)


async def test_of_a_large_file_no_upload_stays_open(
    bucket_place: Place, box: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RED | {"h264-720p-00112233aabb/00001.m4s": os.urandom(LEAST_PART_BYTES + 777)}

    def die(*_: Any) -> None:
        raise Interrupted

    monkeypatch.setattr("storage.s3.complete", die)
    with pytest.raises(Interrupted):
        await bucket_place.attempts.publish(files)
    assert len(box.open_uploads()) == 1
    await bucket_place.attempts.discard()
    assert bucket_place.files() == {}
    assert bucket_place.is_settled()


def test_a_claim_is_written_only_in_the_place_of_the_one_that_was_seen(place: Place) -> None:
    claim = claims.Claim(
        job_id="a", output="out", tree_key="t", made_folder=False, sizes={}, loose=()
    )
    store = place.attempts.store.claims
    first = store.write("out", claim, None)
    assert first is not None
    other = claim.model_copy(update={"job_id": "b"})
    assert store.write("out", other, None) is None
    second = store.write("out", other, first.tag)
    assert second is not None
    assert store.write("out", claim, first.tag) is None
    found = store.of("out")
    assert found is not None
    assert found.claim == other
    assert [each.job_id for _, each in store.older(-1)] == ["b"]
    assert list(store.older(60)) == []
    store.remove("out")
    assert store.of("out") is None
