"""What a step becomes once its references are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from longtake.contracts.package import Package
from longtake.contracts.pipeline import From, Pipeline, Step
from longtake.contracts.stitch import Stitch
from longtake.errors import InvalidJob
from longtake.pipelines.document import find_pipeline, prepare
from longtake.pipelines.references import filled, needs, step_job

PODCAST = find_pipeline("podcast-episode")
UPLOAD = find_pipeline("video-upload")


class Known(dict[str, Sequence[str]]):
    """What references mean."""

    def __call__(self, reference: From) -> Sequence[str]:
        return self.get(reference.from_, ())


def stitch(**given: Sequence[str]) -> Stitch:
    """The episode of the preset, of these inputs and texts."""
    known = Known({name.replace("__", "."): each for name, each in given.items()})
    job = step_job(PODCAST.steps["episode"], known, "/out", {"priority": 2})
    assert isinstance(job, Stitch)
    return job


def test_an_entry_stands_once_for_each_file() -> None:
    job = stitch(inputs__parts=["/a.wav", "/b.wav"], texts__title=["One"], inputs__intro=["/i.mp3"])
    assert job.sources == ("/i.mp3", "/a.wav", "/b.wav")
    assert [part.role for part in job.timeline] == ["bumper", "speech", "speech"]
    assert (job.tags, job.cover, job.priority) == ({"title": "One"}, None, 2)
    assert job.targets == ("/out/episode.mp3",)


def test_each_file_has_its_own_words() -> None:
    parts, titles = ["/a.wav", "/b.wav"], ["Hello", "Goodbye"]
    job = stitch(inputs__parts=parts, texts__chapters=titles, texts__title=["One"])
    assert [(part.source, part.chapter) for part in job.timeline] == [
        ("/a.wav", "Hello"),
        ("/b.wav", "Goodbye"),
    ]


def test_files_and_words_must_be_as_many() -> None:
    job = Pipeline(
        pipeline=PODCAST,
        inputs={"parts": ("/a.wav",)},
        texts={"title": "One", "chapters": ("Hello", "Goodbye")},
        output="/out",
    )
    with pytest.raises(InvalidJob, match=r"texts\.chapters: there are 2 for 1 inputs\.parts"):
        prepare(job)


def test_what_is_not_there_leaves_its_entry_out() -> None:
    with_captions = Known(
        {"inputs.video": ["/a.mov"], "captions.vtt": ["/c.vtt"], "captions.language": ["de"]}
    )
    job = step_job(UPLOAD.steps["stream"], with_captions, "s3://bucket/out/", {})
    assert isinstance(job, Package)
    assert [(each.source, each.language) for each in job.caption_files] == [("/c.vtt", "de")]
    assert job.output == "s3://bucket/out/stream"
    without = step_job(UPLOAD.steps["stream"], Known({"inputs.video": ["/a.mov"]}), "/out", {})
    assert isinstance(without, Package)
    assert without.captions == ()


def test_a_step_needs_what_it_names_refers_to_and_asks_facts_of() -> None:
    document = UPLOAD.model_copy(
        update={
            "steps": {
                **UPLOAD.steps,
                "last": Step.model_validate(
                    {
                        "kind": "checksums",
                        "files": [{"from": "sound.audio"}, {"from": "inputs.video"}],
                        "output": "SUMS",
                        "needs": ["pictures"],
                        "when": {"of": "captions.film", "has_video": True},
                    }
                ),
            }
        }
    )
    assert needs(document, "last") == ("captions", "pictures", "sound")


@pytest.mark.parametrize("value", [3, "text", None, [1, [2]], {"a": {"b": [1, {"c": "d"}]}}])
def test_what_is_no_reference_stays_as_it_is(value: Any) -> None:
    step = Step.model_validate({"kind": "transcode", "field": value})
    assert filled(step, Known()) == {"field": value}
