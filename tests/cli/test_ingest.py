from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.cli.conftest import Command
from tests.patience import WAIT_S

DOCUMENT = """\
title: A film for our site
inputs: {film: {type: video}, mark: {type: image}}
steps:
  film:
    kind: transcode
    input: {from: inputs.film}
    output: film.mp4
    video: {watermark: {image: {from: inputs.mark}}}
outputs: {film: {from: film.video}}
"""


def put(key: str) -> str:
    """An event of R2."""
    return json.dumps({"action": "PutObject", "bucket": "in", "object": {"key": key, "size": 1}})


async def asked(temporal: Client, job_id: str) -> Any:
    """The job that was started."""
    events = [event async for event in temporal.get_workflow_handle(job_id).fetch_history_events()]
    begun = events[0].workflow_execution_started_event_attributes
    (job,) = await temporal.data_converter.decode(begun.input.payloads)
    return job


async def test_events_are_taken_as_they_come(longtake: Command, temporal: Client) -> None:
    rules = {"rules": [{"name": "films", "under": "s3://in/", "job": {}, "output": "s3://out/"}]}
    (longtake.folder / "rules.yaml").write_text(json.dumps(rules))
    process = await longtake.start("ingest", "rules.yaml", "--json")
    assert process.stdin is not None
    assert process.stdout is not None
    for key in ("a.mov", "b.mov"):
        process.stdin.write(f"{put(key)}\n\n".encode())
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), WAIT_S))
        assert (told["uri"], told["found"]) == (f"s3://in/{key}", "started")
    process.stdin.close()
    assert await process.wait() == 0
    whole = json.dumps(json.loads(put("c.mov")), indent=1)
    done = await longtake("ingest", "rules.yaml", "--json", given=whole)
    assert json.loads(done.out)["uri"] == "s3://in/c.mov"


async def test_what_rules_name_counts_from_their_folder(
    longtake: Command, temporal: Client
) -> None:
    folder = longtake.folder / "rules"
    folder.mkdir()
    (folder / "site.yaml").write_text(DOCUMENT)
    pipeline = {"kind": "pipeline", "pipeline": "site.yaml", "inputs": {"mark": "logo.png"}}
    films = {"name": "films", "under": "s3://in/films/", "input": "film", "job": pipeline}
    marked = {"video": {"watermark": {"image": "logo.png"}}}
    clips = {"name": "clips", "under": "s3://in/clips/", "job": marked}
    rules = [{**rule, "output": "../out"} for rule in (films, clips)]
    (folder / "rules.yaml").write_text(json.dumps({"rules": rules}))

    given = f"{put('films/a.mov')}\n{put('clips/b.mov')}\n"
    done = await longtake("ingest", str(Path("rules", "rules.yaml")), "--json", given=given)
    assert done.code == 0, done.err
    film, clip = [await asked(temporal, json.loads(line)["job_id"]) for line in done.out.split()]
    assert film["pipeline"]["title"] == "A film for our site"
    assert film["inputs"] == {"film": "s3://in/films/a.mov", "mark": str(folder / "logo.png")}
    assert film["output"] == str(longtake.folder / "out" / "a.mov")
    assert clip["video"]["watermark"]["image"] == str(folder / "logo.png")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "error: InvalidJob: rules.yaml cannot be read: No such file"),
        ("", "error: InvalidJob: rules.yaml is without rules: it needs `rules`, a list"),
        ("rules: []", "error: InvalidJob: rules.yaml is without rules: it needs `rules`, a list"),
        ("rules: [{name: a}]", "rules.0.job: Field required; rules.0.output: Field required\n"),
    ],
)
async def test_rules_that_are_not_there_are_told_once_and_in_words(
    alone: Command, text: str | None, words: str
) -> None:
    if text is not None:
        (alone.folder / "rules.yaml").write_text(text)
    done = await alone("ingest", "rules.yaml")
    assert done.code == 2
    assert words in done.err


@pytest.mark.parametrize(
    ("under", "words"),
    [("arrivls", "arrivls is no folder"), ("s3://in/", "no rule is for a folder")],
)
async def test_folders_that_cannot_be_watched_are_told(
    alone: Command, under: str, words: str
) -> None:
    rules = {"rules": [{"name": "films", "under": under, "job": {}, "output": "out"}]}
    (alone.folder / "rules.yaml").write_text(json.dumps(rules))
    done = await alone("ingest", "rules.yaml", "--watch")
    assert done.code == 2
    assert words in done.err
    assert not (alone.folder / "home").exists(), "no service is started for a mistake"
