"""Readers that stall or are killed: a text track is left out; a file that was asked for fails the
job after some tries, and so does whatever else cannot be read."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import admit
from activities import package as steps
from activities import place as places
from longtake.contracts.package import Package
from longtake.contracts.steps.package import PackageRequest, PackageSummary
from media.captions import sources as caption_sources
from media.children.isolate import in_child
from tests.media.engine import run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker whose readers of captions have no time at all."""
    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(caption_sources, "in_child", partial(in_child, timeout_s=0.0))
    places.place.cache_clear()
    yield
    places.place.cache_clear()


async def _plan(tmp_path: Path, attempt: int, *, named: bool = False) -> PackageSummary:
    words, source = tmp_path / "words.srt", tmp_path / "film.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\none\n")
    film = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1")
    tracks = () if named else ("-i", words, "-map", "0", "-map", "1", "-c:s", "srt")
    run(*film, *tracks, source)
    asked = {"captions": [{"source": str(words), "language": "en"}]} if named else {}
    given = {"input": str(source), "output": str(tmp_path / "out"), "preset": "hls-web", **asked}
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    request = PackageRequest(job=Package.model_validate(given))
    return await environment.run(steps.plan, request)


async def test_a_track_of_the_source_that_stalls_again_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="took too long") as first:
        await _plan(tmp_path, 1)
    assert not first.value.non_retryable
    told = await _plan(tmp_path, 2)
    assert [w for w in told.warnings if "stream 1 (subtitle) is left out: looking" in w]
    assert not told.words_keys


async def test_a_file_that_was_asked_for_fails_the_job_at_the_third_stall(tmp_path: Path) -> None:
    """And the failure says which file it was, and what to do."""
    for attempt in (1, 2):
        with pytest.raises(ApplicationError, match=r"words\.srt.* took too long") as failed:
            await _plan(tmp_path, attempt, named=True)
        assert not failed.value.non_retryable
    with pytest.raises(ApplicationError, match=r"3 times.*words\.srt.*longtake retry") as failed:
        await _plan(tmp_path, 3, named=True)
    assert failed.value.non_retryable
    assert failed.value.type == "Poisoned"


async def test_a_reader_that_is_killed_each_time_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system does it where memory is short; whatever the step reads."""

    async def killed(*_: object, **__: object) -> None:
        await in_child(signal.raise_signal, signal.SIGKILL)

    monkeypatch.setattr(admit, "inspect_in_child", killed)
    for attempt in (1, 2):
        with pytest.raises(ApplicationError, match="want of memory") as failed:
            await _plan(tmp_path, attempt)
        assert (failed.value.type, failed.value.non_retryable) == ("ProcessKilled", False)
    with pytest.raises(ApplicationError, match=r"3 times.*More of it for the worker") as failed:
        await _plan(tmp_path, 3)
    assert (failed.value.type, failed.value.non_retryable) == ("Poisoned", True)
