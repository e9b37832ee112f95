"""Jobs that publish into one place are told apart, and what a dead one left makes way."""

from __future__ import annotations

import asyncio
import threading

import pytest

from longtake.errors import OutputConflict, ResourceExhausted
from longtake.settings import Home
from storage import claims, sweep, trees
from tests.storage.published import BLUE, LAST, RED, Place
from tests.storage.trees import (
    Interrupted,
)


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
