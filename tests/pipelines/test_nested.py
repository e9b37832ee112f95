"""Pipelines that are steps: their documents are found, checked with their lines, and typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longtake.contracts.pipeline import Facts, Pipeline, PipelineDocument
from longtake.errors import InvalidJob
from longtake.identity import content_hash
from longtake.pipelines.document import prepare, read_pipeline
from longtake.pipelines.draw import tree
from longtake.pipelines.estimate import estimate
from tests.pipelines.documents import read

FILM = "  film: {kind: transcode, input: {from: inputs.video}, output: film.mp4}\n"

INNER = """\
inputs:
  master: {type: video}
  logo: {type: image, optional: true}
  parts: {many: true, optional: true}
texts:
  language: {type: language, optional: true}
steps:
  level:
    kind: normalize
    input: {from: inputs.master}
    output: levelled.mkv
  show: {kind: preview, input: {from: level.video}, output: show}
outputs:
  film: {from: level.video}
  pictures: {from: show.thumbnails}
"""

INSIDE = """\
  inner:
    kind: pipeline
    output: extras
    inputs: {master: {from: film.video}}
    pipeline:
      inputs: {master: {type: video}}
      steps:
        level:
          kind: normalize
          input: {from: inputs.master}
          output: levelled.mkv
      outputs:
        film: {from: level.video}
"""


def inner(*inputs: str, pipeline: str = "inner.yaml") -> str:
    """A step that does a document of a file, in lines 6 to 9 or more."""
    lines = "".join(f"      {line}\n" for line in inputs or ("master: {from: film.video}",))
    return f"  inner:\n    kind: pipeline\n    pipeline: {pipeline}\n    inputs:\n{lines}"


def refused(folder: Path, steps: str, outputs: str = "film: {from: film.video}") -> str:
    with pytest.raises(InvalidJob) as error:
        read(folder, steps, outputs)
    return error.value.message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner.yaml").write_text(INNER)
    return tmp_path


def test_what_a_document_within_gives_is_known_before_it_runs(folder: Path) -> None:
    steps = (
        FILM
        + f"{inner()}    output: extras\n"
        + "  small: {kind: transcode, input: {from: inner.film}, output: small.mp4}\n"
        + "  sums: {kind: checksums, files: [{from: inner.pictures}], output: SHA256SUMS}\n"
    )
    document = read(folder, steps, "film: {from: inner.film}")
    job = Pipeline(pipeline=document, inputs={"video": "/film.mov"}, output="/out")
    ports = prepare(job).ports["inner"]
    assert (ports["film"].type, ports["film"].suffix, ports["film"].role) == (
        *("video", ".mkv", "film"),
    )
    assert ports["pictures"].many


def test_the_document_of_a_file_is_written_into_the_outer_one(folder: Path) -> None:
    steps = f"{FILM}{inner()}    output: extras\n"
    before = read(folder, steps, "film: {from: inner.film}")
    (folder / "inner.yaml").write_text(INNER.replace("levelled.mkv", "level.mkv"))
    after = read(folder, steps, "film: {from: inner.film}")
    assert "levelled.mkv" in before.model_dump_json()
    of = (Pipeline(pipeline=each, inputs={"video": "/a"}, output="/o") for each in (before, after))
    assert len({content_hash(job) for job in of}) == 2
    again = PipelineDocument.model_validate_json(before.model_dump_json(exclude_none=True))
    assert again == before


def test_a_preset_within_is_written_out_wherever_the_job_comes_from(folder: Path) -> None:
    step = inner("film: {from: film.video}", pipeline="archive")
    document = read(folder, f"{FILM}{step}    output: extras\n", "film: {from: inner.film}")
    named = document.model_dump(mode="json", exclude_none=True)
    named["steps"]["inner"]["pipeline"] = "archive"
    given = {"pipeline": named, "inputs": {"video": "/a.mov"}, "output": "/o"}
    assert prepare(Pipeline.model_validate(given)).document == document
    named["steps"]["inner"]["pipeline"] = "inner.yaml"
    with pytest.raises(InvalidJob, match="only a document in a file of its own may name"):
        prepare(Pipeline.model_validate(given))


WRONG = {
    "no such file": (
        f"{FILM}{inner(pipeline='none.yaml')}    output: extras\n",
        8,
        "steps.inner.pipeline: pipeline",
    ),
    "no such preset": (
        f"{FILM}{inner(pipeline='none')}    output: extras\n",
        8,
        "steps.inner.pipeline: there is no pipeline 'none'",
    ),
    "a field within": (
        FILM + INSIDE.replace("          output:", "          vidio: 1\n          output:"),
        16,
        "steps.inner.pipeline.steps.level.vidio: there is no such field",
    ),
    "a reference within": (
        FILM + INSIDE.replace("inputs.master}\n", "film.video}\n"),
        15,
        "steps.inner.pipeline.steps.level.input: there is no step 'film'; there are level",
    ),
    "a document that is none": (
        FILM + INSIDE.replace("      outputs:\n        film: {from: level.video}\n", ""),
        10,
        "steps.inner.pipeline.outputs: Field required",
    ),
    "no document": (
        FILM + INSIDE[: INSIDE.index("    pipeline:")],
        6,
        "steps.inner.pipeline: Field required",
    ),
    "what it does not ask for": (
        f"{FILM}{inner('master: {from: film.video}', 'sound: {from: film.video}')}"
        "    output: extras\n",
        11,
        "steps.inner.inputs.sound: the pipeline asks for no such thing; it takes inputs: master",
    ),
    "what it lacks": (
        f"{FILM}{inner('parts: [{from: film.video}]')}    output: extras\n",
        9,
        "steps.inner.inputs.master: a file must be given",
    ),
    "another type than it takes": (
        f"{FILM}{inner('master: {from: film.video}', 'logo: {from: film.video}')}"
        "    output: extras\n",
        11,
        "film.video is video, and an image is wanted",
    ),
    "several for one": (
        FILM
        + "  show: {kind: preview, input: {from: film.video}, output: show}\n"
        + inner("master: {from: film.video}", "logo: {from: show.thumbnails}")
        + "    output: extras\n",
        12,
        "show.thumbnails may be several files",
    ),
    "what may lack, and must not": (
        FILM
        + "  show: {kind: preview, input: {from: film.video}, output: show}\n"
        + inner("master: {from: film.video, optional: true}")
        + "    output: extras\n",
        7,
        "it cannot be done without what is optional: a file must be given",
    ),
    "a path from nowhere": (
        f"{FILM}{inner('master: film.mov')}    output: extras\n",
        9,
        "'film.mov' is no address",
    ),
    "the folder of the outer one": (
        f"{FILM}{inner()}    output: .\n",
        11,
        "a pipeline that is a step has a folder of its own",
    ),
    "no such output": (
        f"{FILM}{inner()}    output: extras\n"
        "  two:\n    kind: transcode\n    input: {from: inner.pictues}\n    output: b.mp4\n",
        14,
        "step inner gives no 'pictues'; it gives: film, pictures",
    ),
    "an output of another type": (
        f"{FILM}{inner()}    output: extras\n"
        "  two:\n    kind: transcode\n    input: {from: inner.pictures}\n    output: b.mp4\n",
        14,
        "inner.pictures is an image, and video or audio is wanted",
    ),
    "a field of the whole": (
        f"{FILM}{inner()}    output: extras\n    overwrite: true\n",
        12,
        "overwrite is the whole pipeline's",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_line(case: str, folder: Path) -> None:
    steps, line, words = WRONG[case]
    told = refused(folder, steps)
    assert told.startswith(f"pipeline.yaml:{line}: "), told
    assert words in told
    assert len(told.splitlines()) == 1, told


def test_a_mistake_in_the_file_of_a_step_is_told_with_both_lines(folder: Path) -> None:
    (folder / "inner.yaml").write_text(INNER.replace("output: levelled", "outptu: levelled"))
    told = refused(folder, f"{FILM}{inner()}    output: extras\n").splitlines()
    assert len(told) == 2
    place = "pipeline.yaml:8: steps.inner.pipeline: inner.yaml:"
    assert told[0] == f"{place}11: steps.level.outptu: there is no such field"
    assert told[1] == f"{place}8: steps.level.output: Field required"


def test_files_that_name_each_other_are_refused(folder: Path) -> None:
    itself = f"{FILM}{inner(pipeline='pipeline.yaml')}    output: extras\n"
    told = refused(folder, itself)
    assert "pipelines stand in one another 3 levels deep, and no deeper: " in told
    assert " → ".join(["pipeline.yaml"] * 4) in told


def test_a_third_level_is_read_and_a_fourth_refused(folder: Path) -> None:
    document = json.loads(read(folder, FILM).model_dump_json(exclude_none=True))
    for level in (2, 3, 4):
        step = {
            "kind": "pipeline",
            "pipeline": document,
            "output": "extras",
            "inputs": {"video": {"from": "inputs.video"}},
        }
        document = {
            "inputs": {"video": {"type": "video"}},
            "steps": {"inner": step},
            "outputs": {"film": {"from": "inner.film"}},
        }
        path = folder / "deep.json"
        path.write_text(json.dumps(document))
        if level < 4:
            assert read_pipeline(path).steps
            continue
        with pytest.raises(InvalidJob, match=r"^deep\.json:1: .* 3 levels deep, and no deeper"):
            read_pipeline(path)


def test_it_is_drawn_as_one_step_with_what_all_of_it_costs(folder: Path) -> None:
    document = read(folder, f"{FILM}{inner()}    output: extras\n", "film: {from: inner.film}")
    facts = Facts(
        has_video=True, has_audio=True, width=1920, height=1080, frame_rate=25, duration_s=60
    )
    costs = estimate(document, {"video": [facts]})
    inside = estimate(read_pipeline(folder / "inner.yaml"), {"master": [facts]})
    assert costs["inner"] == sum(cost for cost in inside.values() if cost)
    assert "   └─ inner  pipeline  ≈ " in tree(document, costs=costs)
