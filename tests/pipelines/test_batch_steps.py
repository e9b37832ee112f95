"""Batches that are steps: what is taken and given, and what is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtake.contracts.pipeline import Pipeline
from longtake.errors import InvalidJob
from longtake.pipelines.document import prepare, read_pipeline

HEAD = """\
inputs:
  films: {type: files}
  one: {type: video, optional: true}
steps:
"""
ALL = """\
  all:
    kind: batch
    input: {from: inputs.films}
    output: web
    job: {kind: transcode, preset: web-720p}
"""
TAIL = "outputs:\n  report: {from: all.report}\n"
PIPED = ALL.replace("job: {kind: transcode, preset: web-720p}", "pipeline_input: master")
INNER = "    job:\n      kind: pipeline\n      pipeline: inner.yaml\n"
INNER_FILE = """\
inputs: {master: {type: video}}
steps:
  small: {kind: transcode, input: {from: inputs.master}, output: small.mp4}
outputs: {film: {from: small.video}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner.yaml").write_text(INNER_FILE)
    return tmp_path


def document(folder: Path, steps: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(f"{HEAD}{steps}{TAIL}")
    return path


def test_a_batch_gives_its_report_and_takes_what_stands_for_files(folder: Path) -> None:
    steps = f"{ALL}  sums: {{kind: checksums, files: [{{from: all.report}}], output: SUMS}}\n"
    read = read_pipeline(document(folder, steps))
    job = Pipeline(pipeline=read, inputs={"films": "/in/**/*.mov"}, output="/out")
    assert prepare(job).ports["all"].keys() == {"report"}
    assert job.looks_anew, "a new film in the folder is to be found"


def test_a_batch_of_pipelines_holds_the_whole_document(folder: Path) -> None:
    read = read_pipeline(document(folder, PIPED + INNER))
    assert read.steps["all"].fields["job"]["pipeline"]["steps"].keys() == {"small"}
    outer = {"kind": "pipeline", "pipeline": read, "inputs": {"films": "/in/"}, "output": "/out"}
    assert Pipeline.model_validate(outer).looks_anew


WRONG = {
    "one film for many": (
        ALL.replace("inputs.films", "inputs.one"),
        7,
        "inputs.one is video, and a pattern, a folder or a list of files is wanted",
    ),
    "many for one film": (
        ALL + "  two:\n    kind: transcode\n    input: {from: inputs.films}\n    output: a.mp4\n",
        12,
        "inputs.films is a pattern, a folder or a list of files, and video or audio is wanted",
    ),
    "a film of all": (
        ALL + "  two:\n    kind: transcode\n    input: {from: all.video}\n    output: a.mp4\n",
        12,
        "step all gives no 'video'; it gives: report",
    ),
    "a pattern from nowhere": (
        ALL.replace("{from: inputs.films}", "'in/*.mov'"),
        7,
        "'in/*.mov' is no address",
    ),
    "a file from nowhere": (
        ALL.replace("preset: web-720p", "preset: web-720p, video: {watermark: {image: logo.png}}"),
        9,
        "steps.all.job: it names a file: write its absolute path or a URI",
    ),
    "a job that takes several files": (
        ALL.replace("kind: transcode, preset: web-720p", "kind: stitch"),
        5,
        "job.kind 'stitch' cannot be done for each file",
    ),
    "no such preset": (ALL.replace("web-720p", "web-9p"), 5, "there is no preset 'web-9p'"),
    "what failed alone": (f"{ALL}    retry_failed: true\n", 10, "leave it out: a batch that runs"),
    "no such document": (
        PIPED + INNER.replace("inner.yaml", "none.yaml"),
        12,
        "steps.all.job.pipeline: pipeline",
    ),
    "a document of a batch that has a mistake": (
        f"{PIPED}    job:\n      kind: pipeline\n      pipeline:\n"
        "        inputs: {master: {type: video}}\n        steps:\n          small:\n"
        "            kind: transcode\n            input: {from: inputs.mastre}\n"
        "            output: a.mp4\n        outputs: {film: {from: small.video}}\n",
        17,
        "there is no inputs.mastre; there are: inputs.master",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_line(case: str, folder: Path) -> None:
    steps, line, words = WRONG[case]
    with pytest.raises(InvalidJob) as refused:
        read_pipeline(document(folder, steps))
    told = refused.value.message
    assert told.startswith(f"pipeline.yaml:{line}: "), told
    assert words in told
