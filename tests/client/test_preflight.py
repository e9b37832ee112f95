from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from longtake import (
    CapabilityMissing,
    InputForbidden,
    InputNotFound,
    InvalidJob,
    Longtake,
    LongtakeError,
    OutputConflict,
    Pipeline,
    Transcode,
    service,
)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a service was started for a job that cannot be done")

    monkeypatch.setattr(service, "configured", lambda: None)
    monkeypatch.setattr(service, "connect", started)


@pytest.fixture
def folder(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    Path("folder.mp4").mkdir()


@pytest.fixture
def secret(clip: Path) -> Path:
    clip.chmod(0)
    return clip


@pytest.mark.usefixtures("nothing_starts", "folder")
@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"input": "gone.mov"}, InputNotFound, "there is no file"),
        ({"input": "."}, InvalidJob, "is a folder"),
        ({"preset": "web-4k"}, InvalidJob, "there is no preset 'web-4k'"),
        ({"video": {"crf": 0, "max_bitrate_bps": 10_000}}, InvalidJob, "lossless"),
        ({"output": "nowhere/talk.mp4"}, OutputConflict, "there is no folder"),
        ({"output": "folder.mp4"}, OutputConflict, "is a folder"),
    ],
)
async def test_a_bad_request_costs_nothing(
    asked: dict[str, Any], error: type[LongtakeError], words: str
) -> None:
    job = Transcode.model_validate({"input": "talk.mov", "output": "talk.mp4", **asked})
    async with Longtake.connect() as longtake:
        with pytest.raises(error, match=words):
            await longtake.start(job)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
async def test_permissions_are_told_apart_from_absence(secret: Path) -> None:
    job = Transcode(input=str(secret), output=str(secret.with_name("talk.mp4")))
    with pytest.raises(InputForbidden, match="may not be read"):
        await Longtake.connect().start(job)


async def test_links_are_refused_as_outputs_and_remote_inputs_are_left_to_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "configured", lambda: None)
    job = Transcode(input="s3://bucket/talk.mov", output="https://host/talk.mp4?signature=secret")
    with pytest.raises(InvalidJob, match="links are only read") as told:
        await Longtake.connect().start(job)
    assert "secret" not in str(told.value)


@pytest.mark.usefixtures("nothing_starts")
async def test_a_pipeline_is_looked_through_before_it_starts(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Pipeline(pipeline="lecture", inputs={"recording": str(clip)}, output=str(clip.parent))
    find = importlib.util.find_spec
    there = {"faster_whisper": None}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: there[name] if name in there else find(name)
    )
    with pytest.raises(CapabilityMissing, match="speech to text is not installed"):
        await Longtake().start(job)
    missing = job.model_copy(update={"inputs": {"recording": str(clip.parent / "no.mp4")}})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    with pytest.raises(InputNotFound, match=r"no\.mp4"):
        await Longtake().start(missing)
    with pytest.raises(InvalidJob, match=r"inputs\.recording: a file must be given"):
        await Longtake().start(job.model_copy(update={"inputs": {}}))
