"""What is wrong with a document is told before anything runs, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtake.contracts.pipeline import Pipeline, PipelineDocument
from longtake.documents import read_with_lines
from longtake.errors import InvalidJob
from longtake.pipelines.document import prepare, read_pipeline
from tests.pipelines.documents import HEAD, read, written

FILM = "  film: {kind: transcode, input: {from: inputs.video}, output: film.mp4}\n"

WRONG = {
    "unknown field": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: a.mp4\n"
        "    vidio: {crf: 20}\n",
        9,
        "steps.film.vidio: there is no such field",
    ),
    "value out of range": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: a.mp4\n"
        "    video:\n      height: 0\n",
        10,
        "steps.film.video.height",
    ),
    "no such preset": (
        "  film: {kind: transcode, input: {from: inputs.video}, output: a.mp4, preset: web-9p}\n",
        5,
        "there is no preset 'web-9p'",
    ),
    "no such kind": ("  film: {kind: transmogrify}\n", 5, "'transmogrify' cannot be a step"),
    "no such step": (
        "  film:\n    kind: transcode\n    input: {from: level.video}\n    output: a.mp4\n",
        7,
        "steps.film.input: there is no step 'level'; there are film",
    ),
    "no such input": (
        "  film:\n    kind: transcode\n    input: {from: inputs.vido}\n    output: a.mp4\n",
        7,
        "there is no inputs.vido; there are: inputs.video, inputs.words",
    ),
    "no such output of a step": (
        FILM + "  show:\n    kind: preview\n    input: {from: film.audio}\n    output: show\n",
        8,
        "step film gives no 'audio'; it gives: video",
    ),
    "captions where video is wanted": (
        "  film:\n    kind: transcode\n    input: {from: inputs.words}\n    output: a.mp4\n",
        7,
        "inputs.words is captions, and video or audio is wanted",
    ),
    "pictures where sound is wanted": (
        FILM
        + "  show: {kind: preview, input: {from: film.video}, output: show}\n"
        + "  level:\n    kind: normalize\n    input: {from: show.poster}\n    output: a.wav\n",
        9,
        "show.poster is an image, and video or audio is wanted",
    ),
    "several files for one place": (
        FILM
        + "  show: {kind: preview, input: {from: film.video}, output: show}\n"
        + "  mark:\n    kind: transcode\n    input: {from: film.video}\n    output: b.mp4\n"
        + "    video:\n      watermark: {image: {from: show.thumbnails}}\n",
        12,
        "show.thumbnails may be several files",
    ),
    "a circle": (
        "  film: {kind: transcode, input: {from: two.video}, output: a.mp4}\n"
        "  two: {kind: transcode, input: {from: film.video}, output: b.mp4}\n",
        5,
        "steps need each other in a circle: film → two → film",
    ),
    "a reference where none may stand": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n"
        "    output: {from: inputs.video}\n",
        8,
        "no reference may stand here",
    ),
    "a forgotten from": (
        "  film:\n    kind: transcode\n    input: inputs.video\n    output: a.mp4\n",
        7,
        "'inputs.video' is no address",
    ),
    "an output elsewhere": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: ../a.mp4\n",
        8,
        "an output is a path in the pipeline's folder",
    ),
    "a field of the whole": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: a.mp4\n"
        "    tenant: mine\n",
        9,
        "tenant is the whole pipeline's",
    ),
    "a need that is not there": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: a.mp4\n"
        "    needs:\n      - sound\n",
        10,
        "there is no step 'sound'",
    ),
    "a condition without a fact": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video}\n    output: a.mp4\n"
        "    when:\n      tall: true\n",
        10,
        "steps.film.when.tall: there is no such field",
    ),
    "optional, and cannot be done without": (
        "  film:\n    kind: transcode\n    input: {from: inputs.video, optional: true}\n"
        "    output: a.mp4\n",
        5,
        "it cannot be done without what is optional",
    ),
    "two steps, one file in two spellings": (
        FILM + "  two: {kind: normalize, input: {from: film.video}, output: ./film.mp4}\n",
        6,
        "step film writes ./film.mp4, too",
    ),
    "two steps, one file": (
        FILM + "  two: {kind: normalize, input: {from: film.video}, output: film.mp4}\n",
        6,
        "step film writes film.mp4, too",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    steps, line, words = WRONG[case]
    outputs = "film: {from: film.video}\n"
    if "  two:" in steps:
        outputs += "  two: {from: two.video}\n"
    with pytest.raises(InvalidJob) as refused:
        read(tmp_path, steps, outputs)
    assert f"pipeline.yaml:{line}: " in refused.value.message
    assert words in refused.value.message


def test_a_report_on_cancel_is_refused_in_one_sentence(tmp_path: Path) -> None:
    outputs = "film: {from: film.video}\non_cancel: {kind: report, output: end.json}\n"
    words = r"^pipeline\.yaml:\d+: on_cancel\.kind: a step on cancel .*$"
    with pytest.raises(InvalidJob, match=words):
        read(tmp_path, FILM, outputs)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    steps = (
        "  one: {kind: transcode, input: {from: inputs.words}, output: a.mp4}\n"
        "  film: {kind: transcode, input: {from: inputs.none}, output: b.mp4}\n"
    )
    with pytest.raises(InvalidJob) as refused:
        read(tmp_path, steps)
    lines = refused.value.message.splitlines()
    assert [line.split(":")[1] for line in lines] == ["5", "6"]


def test_a_sound_document_is_read_and_comes_back_from_json(tmp_path: Path) -> None:
    document = read(tmp_path, FILM)
    job = Pipeline(pipeline=document, inputs={"video": "/film.mov"}, output="/out")
    again = Pipeline.model_validate_json(job.model_dump_json(exclude_none=True))
    assert again == job
    assert isinstance(again.pipeline, PipelineDocument)
    assert prepare(again).ports["film"]["video"].suffix == ".mp4"
    assert job.sources == ("/film.mov",)


def test_json_is_read_as_yaml_is(tmp_path: Path) -> None:
    yaml = read_pipeline(written(tmp_path, FILM))
    path = tmp_path / "pipeline.json"
    path.write_text(yaml.model_dump_json(exclude_none=True))
    assert read_pipeline(path) == yaml


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "inputs.video: a file must be given"),
        ({"video": "/a", "sound": "/b"}, "inputs.sound: the pipeline asks for no such thing"),
        ({"video": ["/a", "/b"]}, "inputs.video: it is one, not 2"),
    ],
)
def test_what_a_job_gives_is_held_to_the_document(
    given: dict[str, object], words: str, tmp_path: Path
) -> None:
    document = read(tmp_path, FILM)
    job = Pipeline.model_validate({"pipeline": document, "inputs": given, "output": "/out"})
    with pytest.raises(InvalidJob, match=words):
        prepare(job)


def test_lines_are_those_of_the_keys_also_behind_anchors(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: &a\n  one: 1\nb:\n  <<: *a\n  two:\n    - x\n    - y: 2\n")
    document = read_with_lines(path)
    assert document.content == {"a": {"one": 1}, "b": {"one": 1, "two": ["x", {"y": 2}]}}
    assert document.line(("b", "two")) == 5
    assert document.line(("b", "two", 1, "y")) == 7
    assert document.line(("b", "three", "four")) == 3


def test_what_is_no_yaml_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(f"{HEAD}  film: [\n")
    with pytest.raises(InvalidJob, match="is not YAML"):
        read_pipeline(path)
    with pytest.raises(InvalidJob, match="cannot be read"):
        read_pipeline(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inputs: &all {video: *all}\n", r"an anchor stands in what it names.*line 1"),
        (f"inputs: {'[' * 120}{']' * 120}\n", "more than 100 deep"),
        (f"inputs: {'[' * 5000}{']' * 5000}\n", "more than 100 deep"),
        (
            "".join(f"{n}: &a{n} [{f'*a{n - 1},' * 9 if n else 'x'}]\n" for n in range(12)),
            "more than 200000 values, with all that its anchors name",
        ),
    ],
    ids=["in itself", "deep", "very deep", "of many anchors"],
)
def test_a_document_without_an_end_is_refused_in_words(
    text: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "round.yaml"
    file.write_text(text)
    with pytest.raises(InvalidJob, match=words):
        read_pipeline(file)


def test_names_are_text_whatever_yaml_takes_them_for(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text("on: {1: yes, null: 2.5}\n")
    assert read_with_lines(file).content == {"on": {"1": True, "null": 2.5}}


def test_a_step_is_not_taken_for_the_one_on_cancel(tmp_path: Path) -> None:
    last = "on_cancel: {kind: checksums, files: [{from: inputs.video}], output: GONE}\n"
    file = tmp_path / "last.yaml"
    file.write_text(
        f"inputs: {{video: {{type: video}}}}\nsteps:\n{FILM.replace('film:', 'on_cancel:')}"
        f"outputs: {{film: {{from: on_cancel.video}}}}\n{last}"
    )
    with pytest.raises(InvalidJob, match=r"last\.yaml:3: steps\.on_cancel: .*call it otherwise"):
        read_pipeline(file)


def test_a_bound_is_a_number(tmp_path: Path) -> None:
    file = tmp_path / "nan.yaml"
    file.write_text(
        "inputs: {video: {type: video}}\nsteps:\n"
        f"{FILM.replace('}, output', '}, when: {height: {at_least: .nan}}, output')}"
        "outputs: {film: {from: film.video}}\n"
    )
    with pytest.raises(InvalidJob, match=r"steps\.film\.when\.height\.at_least"):
        read_pipeline(file)
