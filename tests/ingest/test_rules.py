from __future__ import annotations

from typing import Any

import pytest

from longtake import InvalidJob, Transcode
from longtake.contracts.ingest import Ingest
from longtake.ingest.events import Arrived
from longtake.ingest.rules import check, job_for, rule_for

SMALL: dict[str, Any] = {
    "name": "small",
    "under": "s3://in/films",
    "suffixes": [".mp4", ".mov"],
    "bytes": {"at_most": 1000},
    "job": {"preset": "web-480p", "group": "small"},
    "output": "s3://out/",
}
LARGE = {**SMALL, "name": "large", "bytes": None, "job": {"group": "large", "overwrite": False}}
SOUND = {
    "name": "sound",
    "under": "s3://in/",
    "suffixes": [".wav"],
    "job": {"kind": "normalize", "target": "podcast"},
    "output": "/sound",
    "suffix": ".mp3",
}
EPISODE = {"kind": "pipeline", "pipeline": "podcast-episode", "texts": {"title": "Monday"}}
PACKAGES = {"name": "pack", "under": "/in", "job": {"kind": "package"}, "output": "/out"}
RULES = Ingest.model_validate({"rules": [SMALL, LARGE, SOUND, PACKAGES]})


@pytest.mark.parametrize(
    ("uri", "size", "name"),
    [
        ("s3://in/films/a.mov", 1000, "small"),
        ("s3://in/films/a.MOV", 1001, "large"),
        ("s3://in/films/a.mov", None, "large"),
        ("s3://in/films/a.wav", 1, "sound"),
        ("s3://in/films2/a.mov", 1, None),
        ("s3://in/films/", 0, None),
        ("s3://other/films/a.mov", 1, None),
        ("/in/deep/er.avi", 1, "pack"),
        ("/inside/er.avi", 1, None),
    ],
)
def test_the_first_rule_that_fits_takes_an_object(
    uri: str, size: int | None, name: str | None
) -> None:
    rule = rule_for(RULES, Arrived(uri, size))
    assert (rule and rule.name) == name


@pytest.mark.parametrize(("output", "taken"), [("/in/out", False), ("/in", True), ("/", True)])
def test_what_a_rule_has_made_is_not_taken_by_it(output: str, taken: bool) -> None:
    rules = Ingest.model_validate({"rules": [{**PACKAGES, "output": output}]})
    assert rule_for(rules, Arrived("/in/a.mov", 1))
    assert (rule_for(rules, Arrived("/in/out/a.mov", 1)) is not None) == taken


@pytest.mark.parametrize(
    ("uri", "output"),
    [
        ("s3://in/films/x/a.mov", "s3://out/x/a.mov.mp4"),
        ("s3://in/films/x/a.mp4", "s3://out/x/a.mp4"),
        ("s3://in/x/a.wav", "/sound/x/a.wav.mp3"),
        ("/in/x/a.avi", "/out/x/a.avi"),
    ],
)
def test_outputs_are_called_as_the_objects_are(uri: str, output: str) -> None:
    arrived = Arrived(uri, 1)
    rule = rule_for(RULES, arrived)
    assert rule is not None
    job = job_for(rule, arrived)
    assert (job.sources[0], job.targets[0]) == (uri, output)


def test_no_two_objects_share_an_output() -> None:
    names = [
        f"{stem}{suffix}"
        for stem in ("a", "a.v2", "a.media")
        for suffix in ("", ".mov", ".mp4", ".mov.mp4", ".mp4.mp4", ".mov.mp4.mp4", ".media.mp4")
    ]
    arrived = [Arrived(f"s3://in/films/{name}", 1) for name in dict.fromkeys(names)]
    outputs = [job_for(RULES.rules[0], each).targets[0].rpartition("/")[2] for each in arrived]
    assert len({*outputs}) == len(outputs), outputs
    assert {"a.mov.mp4", "a.mp4", "a.v2.mp4", "a.media.mp4"} <= {*outputs}


def test_no_object_is_written_outside_of_the_outputs_folder() -> None:
    arrived = Arrived("/in/x/../../etc/a.mp4", 1)
    rule = rule_for(RULES, arrived)
    assert rule is not None
    with pytest.raises(InvalidJob, match="leads out of the output's folder"):
        job_for(rule, arrived)


def test_a_job_has_what_its_rule_says() -> None:
    small, large = (job_for(rule, Arrived("s3://in/films/a.mov")) for rule in RULES.rules[:2])
    assert isinstance(small, Transcode)
    assert isinstance(large, Transcode)
    assert (small.group, small.overwrite) == ("small", True)
    assert (large.group, large.overwrite) == ("large", False)


def test_a_pipeline_reads_other_files_beside_the_object() -> None:
    job = {**EPISODE, "inputs": {"intro": "/jingle.wav"}}
    rules = Ingest.model_validate({"rules": [{**SOUND, "job": job, "input": "parts"}]})
    check(rules)
    made = job_for(rules.rules[0], Arrived("s3://in/monday.wav", 1))
    assert made.sources == ("/jingle.wav", "s3://in/monday.wav")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"job": {"kind": "fax"}}, "there is no job of kind 'fax'"),
        ({"job": {"input": "/a"}}, "job.input comes from the object: leave it out"),
        ({"job": {"id": "one"}}, "job.id comes from the object"),
        ({"job": {"deadline": "2030-01-31T18:00:00Z"}}, "job.deadline is one moment"),
        ({"job": {"preset": "web-480p", "crff": 3}}, "crff: there is no such field"),
        ({"job": {"preset": "web-48p"}}, "there is no preset 'web-48p'"),
        ({"job": {"kind": "pipeline", "pipeline": "upload"}, "input": "video"}, "there is no pip"),
        ({"job": {**EPISODE, "inputs": {"parts": "/a.wav"}}, "input": "parts"}, "job.inputs: file"),
        ({"job": {**EPISODE, "inputs": {"outtro": "/a.wav"}}, "input": "parts"}, "inputs.outtro:"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_rule_that_could_start_nothing_is_told(change: dict[str, Any], words: str) -> None:
    rules = Ingest.model_validate({"rules": [{**SMALL, **change}]})
    with pytest.raises(InvalidJob, match=f"rule small: {words}"):
        check(rules)


def test_sizes_that_no_object_has_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing has at least 10 and at most 5 bytes"):
        Ingest.model_validate({"rules": [{**SMALL, "bytes": {"at_least": 10, "at_most": 5}}]})


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules are called small"):
        Ingest.model_validate({"rules": [SMALL, SMALL]})
