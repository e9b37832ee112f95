from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.cli.conftest import Command
from tests.dev_server import dev_server
from tests.patience import WAIT_S

pytestmark = pytest.mark.usefixtures("control")


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    """A server of its own, whose schedules nobody else keeps busy."""
    async with dev_server() as client:
        yield client


async def test_a_schedule_is_made_shown_and_steered(longtake: Command) -> None:
    job = longtake.folder / "jobs" / "nightly.yaml"
    job.parent.mkdir()
    job.write_text("kind: transcode\ninput: ../talk.mov\noutput: ../nightly.mp4\n")
    words = ("--cron", "0 3 * * *", "--time-zone", "Europe/Berlin", "--catch-up", "2h")
    made = await longtake("schedule", "create", "nightly", str(job), *words, "--json")
    facts = made.document
    assert facts["timetable"]["catch_up_s"] == "7200"
    assert facts["job"]["input"] == str(longtake.folder / "talk.mov"), "from the file's folder"
    shown = (await longtake("schedule", "show", "nightly")).out
    assert "0 3 * * * (Europe/Berlin)" in shown
    assert "is paused" in (await longtake("schedule", "pause", "nightly", "--note", "no")).err
    assert "paused: no" in (await longtake("schedule", "show", "nightly")).out
    assert "goes on" in (await longtake("schedule", "resume", "nightly")).err
    async with asyncio.timeout(WAIT_S):
        while not (listed := (await longtake("schedule", "list", "--json")).document):
            pass  # Temporal's lists come a moment behind
    assert listed[0]["schedule_id"] == "nightly"
    rows = [line.split("\t") for line in (await longtake("schedule", "list")).out.splitlines()]
    assert rows[0] == ["SCHEDULE", "STARTS", "WHEN", "NEXT"]
    assert rows[1][3] == listed[0]["next_at"][0], "whole, also where it is read by a program"
    assert (await longtake("schedule", "trigger", "nightly")).code == 0
    assert (await longtake("schedule", "backfill", "nightly", "--from", "2d")).code == 0
    assert (await longtake("schedule", "delete", "nightly")).code == 0
    assert "no schedule 'nightly'" in (await longtake("schedule", "show", "nightly")).err


async def test_a_schedule_takes_a_pipeline_that_lies_beside_its_file(longtake: Command) -> None:
    folder = longtake.folder / "jobs"
    folder.mkdir()
    (folder / "site.yaml").write_text(
        "title: A film for our site\ninputs: {film: {type: video}}\nsteps:\n"
        "  film: {kind: transcode, input: {from: inputs.film}, output: film.mp4}\n"
        "outputs: {film: {from: film.video}}\n"
    )
    for job in (
        "kind: pipeline\npipeline: site.yaml\ninputs: {film: ../talk.mov}\noutput: ../out\n",
        "kind: batch\ninput: ../*.mov\noutput: ../out\npipeline_input: film\n"
        "job: {kind: pipeline, pipeline: ./site.yaml}\n",
    ):
        (folder / "nightly.yaml").write_text(job)
        words = ("schedule", "create", "nightly", str(folder / "nightly.yaml"), "--every", "1d")
        made = (await longtake(*words, "--json")).document["job"]
        each = made.get("job", made)
        assert each["pipeline"]["title"] == "A film for our site"
        assert (await longtake("schedule", "delete", "nightly")).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say cron or every_s"),
        (("--every", "soon"), "'soon' is no length of time"),
        (("--every", "1h", "--cron", "@daily"), "one of the two"),
        (("--every", "1h", "--catch-up", "1s"), "catch_up_s"),
        (("--cron", "99 3 * * *"), "Minute is not in range"),
        (("--every", "1h", "--overlap", "sometimes"), "buffer-one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_timetable_that_cannot_be_is_told(
    longtake: Command, arguments: tuple[str, ...], words: str
) -> None:
    job = longtake.folder / "job.json"
    job.write_text(json.dumps({"kind": "transcode", "input": "talk.mov", "output": "out.mp4"}))
    done = await longtake("schedule", "create", "mine", str(job), *arguments)
    assert done.code == 2
    assert words in done.err


async def test_a_file_that_is_no_job_is_told(longtake: Command) -> None:
    job = longtake.folder / "job.yaml"
    for text, words in (
        ("kind: [", "is not YAML"),
        ("- 1", "is no job"),
        ("kind: transcode\ninput: talk.mov", "job.yaml: output"),
    ):
        job.write_text(text)
        done = await longtake("schedule", "create", "mine", str(job), "--every", "1h")
        assert (done.code, words in done.err) == (2, True), done.err
