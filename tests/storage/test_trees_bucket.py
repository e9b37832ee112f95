"""A package in a bucket: what its objects say, on a bad network, without a spare request."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest

from storage.uploads import LEAST_PART_BYTES
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.published import BLUE, RED, Place
from tests.storage.trees import (
    Interrupted,
)


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
