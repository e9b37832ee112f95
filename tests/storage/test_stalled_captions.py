"""A text track at which its reader stalls costs a package that track, and not the whole job."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import package as steps
from activities import place as places
from longtake.contracts.package import Package
from longtake.contracts.steps.package import PackageRequest, PackageSummary
from media import caption_sources
from media.isolate import in_child
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


async def test_a_file_that_stalls_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="took too long") as failed:
        await _plan(tmp_path, 2, named=True)
    assert not failed.value.non_retryable
