"""Pipelines and batches as steps, on a service whose worker is killed meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Film
from tests.e2e.service import Service, until
from tests.e2e.trees import files
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow

INNER = """\
inputs:
  master: {type: video}
steps:
  small:
    kind: transcode
    input: {from: inputs.master}
    output: small.mp4
    video: {codec: h264, crf: 30, height: 360, speed: medium}
  pictures: {kind: preview, input: {from: small.video}, output: pictures, parts: [poster]}
outputs:
  film: {from: small.video}
  poster: {from: pictures.poster}
"""

OUTER = """\
inputs:
  video: {type: video}
steps:
  extras:
    kind: pipeline
    pipeline: inner.yaml
    inputs: {master: {from: inputs.video}}
    output: extras
  sound: {kind: command, input: {from: extras.film}, output: sound.m4a, arguments: [-vn]}
  sums:
    kind: checksums
    files: [{from: extras.poster}, {from: sound.audio}]
    output: SHA256SUMS
outputs:
  poster: {from: extras.poster}
  sound: {from: sound.audio}
  sums: {from: sums.list}
"""


def steps(result: Any) -> dict[str, tuple[str, bool, str]]:
    return {step["name"]: (step["state"], step["reused"], step["why"]) for step in result["steps"]}


@pytest.mark.kill
def test_a_pipeline_within_goes_on_after_a_kill_and_does_only_what_changed(
    service: Service, film: Film
) -> None:
    service.forget_work()
    document, folder = service.out / "outer.yaml", service.out / "nested"
    document.write_text(OUTER)
    (service.out / "inner.yaml").write_text(INNER)
    command = ("run", document, "--input", f"video={film.path}", "-o", folder, "--explain")
    service.json(*command[:-1], "--id", "nested", "--no-wait")
    until(lambda: service.chunks() and service.encoders(), 60, "a chunk of the inner film")
    inside = {job["job_id"] for job in service.json("list", "--of", "nested.extras")}
    assert inside == {"nested.extras.small"}
    service.worker().kill()
    watched = service.run("watch", "nested", timeout=WAIT_S)
    assert watched.returncode == 0, watched.stderr
    made = files(folder)
    assert {Path(name).name for name in made} >= {"poster.jpg", "sound.m4a", "SHA256SUMS"}

    again = service.json(*command)
    assert {name: reused for name, (_, reused, _) in steps(again).items()} == {
        "extras": True,
        "sound": True,
        "sums": True,
    }
    (service.out / "inner.yaml").write_text(INNER.replace("[poster]", "[poster, waveform]"))
    changed = service.json(*command, "--overwrite")
    state, reused, why = steps(changed)["extras"]
    assert (state, reused) == ("done", False)
    assert why.startswith("its settings changed: pipeline.steps.pictures.parts")
    assert steps(changed)["sound"][1], "the inner film is as it was"
    extras = service.json("status", f"{changed['job_id']}.extras")
    assert extras["stats"]["chunks_reused"] == 1, "of its own steps the film was not made anew"


BATCH = """\
inputs:
  films: {type: files}
steps:
  web:
    kind: batch
    input: {from: inputs.films}
    output: web
    job: {kind: transcode, video: {codec: h264, crf: 30, height: 360, speed: medium}}
    on_error: continue
  list: {kind: checksums, files: [{from: web.report}], output: SHA256SUMS}
outputs:
  report: {from: web.report}
  list: {from: list.list}
"""


@pytest.mark.kill
def test_what_needs_a_batch_waits_for_all_of_it_whatever_is_killed(
    service: Service, film: Film
) -> None:
    service.forget_work()
    films, folder = service.out / "films", service.out / "batched"
    films.mkdir()
    (films / "good.mp4").symlink_to(film.path)
    (films / "bad.mp4").write_text("no film")
    document = service.out / "batch.yaml"
    document.write_text(BATCH)
    command = ("run", document, "--input", f"films={films}/*.mp4", "-o", folder, "--id", "batched")
    service.json(*command, "--no-wait")
    until(lambda: service.chunks() and service.encoders(), 60, "a chunk of an item")
    assert not (folder / "SHA256SUMS").exists()
    service.worker().kill()
    watched = service.run("watch", "batched", timeout=WAIT_S)
    assert watched.returncode == 0, watched.stderr
    report = folder / "web" / "batched.web.jsonl"
    told = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(Path(line["input"]).name, line["state"]) for line in told] == [
        ("bad.mp4", "failed"),
        ("good.mp4", "succeeded"),
    ]
    assert str(report.relative_to(folder)) in (folder / "SHA256SUMS").read_text()
    assert (folder / "web" / "good.mp4").stat().st_size > 0
