"""A package that replaces another is live before the old one goes, and nothing else goes."""

from __future__ import annotations

import json
import threading

import pytest

from longtake.errors import OutputConflict
from storage.listing import names_in, read_listing
from storage.tree import ENTRIES, Member
from tests.storage.published import BLUE, CHANGES, LAST, RED, Place, digest
from tests.storage.trees import (
    Interrupted,
)


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


@pytest.mark.kill
async def test_killed_while_it_puts_back_what_it_replaced_it_leaves_nothing(place: Place) -> None:
    await place.attempts.publish(RED, "before")
    with pytest.raises(Interrupted):
        await place.attempts.dying(LAST).publish(BLUE, overwrite=True)
    place.kill_as_it_puts_back()
    assert place.files() != RED
    await place.attempts.discard()
    assert place.files() == RED
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


async def test_a_manifest_that_appears_meanwhile_is_not_replaced(place: Place) -> None:
    publication = await place.attempts.attempt(RED, "job")
    await publication.begin()
    publication.fill(threading.Event())
    place.put("master.m3u8", b"somebody else's")
    with pytest.raises(OutputConflict, match="is there already, with other bytes"):
        publication.show(threading.Event())
    await place.attempts.discard()
    assert place.files() == {"master.m3u8": b"somebody else's"}


async def test_the_same_package_again_touches_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.attempts.publish(RED)
    written = place.writings()
    if place.box is None:
        monkeypatch.setattr(Member, "copy_to", lambda *_: pytest.fail("it is written again"))
    await place.attempts.publish(RED, "another job")
    assert place.writings() == written
    assert place.is_settled()
