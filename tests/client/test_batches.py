"""What a batch makes of its entries: outputs that never meet, and jobs that can be done."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.batches import Entry, item_job, items_of, outputs
from longtake.contracts import Batch, Normalize, Pipeline, Transcode
from longtake.contracts.batch import BatchItem
from longtake.errors import InvalidJob
from longtake.identity import content_hash, item_id, located
from longtake.preflight import check_settings

BATCH = Batch(input="/in", output="/out")
WORDS = st.sampled_from(["talk", "Talk", "talk.mov", "clip", "a"])
NAMES = st.builds(
    lambda folders, stem, suffix: "/".join([*folders, stem + suffix]),
    st.lists(WORDS, max_size=2),
    WORDS,
    st.sampled_from([".mp4", ".mov", ".MP4", ""]),
)
ENTRIES = st.lists(
    st.builds(lambda root, name: Entry(f"/{root}/{name}", name), st.sampled_from("xy"), NAMES),
    unique_by=lambda entry: entry.input,
    max_size=12,
)
KINDS = st.sampled_from(["transcode", "normalize", "package", "preview"])


@given(entries=ENTRIES, kind=KINDS, seed=st.integers())
def test_no_two_outputs_meet_whatever_the_order(entries: list[Entry], kind: str, seed: int) -> None:
    batch = BATCH.model_copy(update={"job": {"kind": kind}})
    made = outputs(batch, entries)
    plain = [output.casefold() for output in made]
    assert len(set(plain)) == len(entries)
    assert not [one for one in plain for other in plain if other.startswith(f"{one}/")]
    shuffled = random.Random(seed).sample(entries, len(entries))
    assert dict(zip(map(id, entries), made, strict=True)) == dict(
        zip(map(id, shuffled), outputs(batch, shuffled), strict=True)
    )


def test_names_stay_plain_where_nothing_is_to_be_told_apart() -> None:
    names = ["a/talk.mov", "b/talk.mov", "b/clip.mkv"]
    entries = [Entry(f"/in/{name}", name) for name in names]
    assert outputs(BATCH, entries) == ["/out/a/talk.mp4", "/out/b/talk.mp4", "/out/b/clip.mp4"]


def test_what_would_share_a_name_keeps_its_suffix_or_gets_a_hash() -> None:
    same_folder = [Entry(f"/in/{name}", name) for name in ("talk.mov", "talk.mp4", "clip.mp4")]
    assert outputs(BATCH, same_folder) == [
        *("/out/talk.mov.mp4", "/out/talk.mp4.mp4"),
        "/out/clip.mp4",
    ]
    listed = [Entry("/x/talk.mp4", "talk.mp4"), Entry("/y/talk.mp4", "talk.mp4")]
    one, other = outputs(BATCH, listed)
    assert one != other
    assert one.startswith("/out/talk-")


def test_a_list_that_gives_one_output_twice_is_refused_with_its_lines() -> None:
    entries = [Entry(f"/{n}.mp4", f"{n}.mp4", "same.mp4", where=f"l.csv:{n}") for n in (2, 3)]
    with pytest.raises(InvalidJob, match=r"l\.csv:2 and l\.csv:3 have one output"):
        items_of(BATCH, entries)


@pytest.mark.parametrize("output", ["../b.mp4", "a/../../b.mp4", ".", "./"])
def test_a_list_writes_to_no_other_folder_by_chance(output: str) -> None:
    with pytest.raises(InvalidJob, match=r"l\.csv:2: output '.*' names nothing in the batch's"):
        items_of(BATCH, [Entry("/in/a.mp4", "a.mp4", output, where="l.csv:2")])


def test_outputs_of_a_list_that_are_one_place_in_two_spellings_are_refused() -> None:
    spelt = ("x/a.mp4", "./x//a.mp4", "/out/x/../x/a.mp4", "X/a.mp4")
    for other in spelt[1:]:
        entries = [Entry(f"/{n}.mp4", "", o) for n, o in enumerate((spelt[0], other))]
        with pytest.raises(InvalidJob, match="have one output"):
            items_of(BATCH, entries)


@pytest.mark.parametrize("name", ["a\nb.mp4", "a\udcffb.mp4", "../b.mp4", "x/../../b.mp4"])
def test_a_name_that_no_job_can_carry_is_an_item_that_failed(name: str) -> None:
    good, bad = items_of(BATCH, [Entry("/in/c.mp4", "c.mp4"), Entry(f"s3://in/{name}", name)])
    assert good.problem is None
    assert bad.problem is not None
    assert "rename it" in bad.problem
    assert bad.output.startswith("/out/")
    assert ".." not in bad.output
    assert BatchItem.model_validate_json(bad.model_dump_json()) == bad


def test_an_entry_that_is_there_twice_is_one_item() -> None:
    assert len(items_of(BATCH, [Entry("/in/a.mp4", "a.mp4")] * 2)) == 1


def test_an_items_own_options_go_over_those_of_the_batch() -> None:
    batch = Batch(
        input="/in",
        output="/out",
        tenant="acme",
        priority=1,
        job={"preset": "web-720p", "video": {"crf": 20, "speed": "fast"}},
    )
    (item,) = items_of(batch, [Entry("/in/a.mov", "a.mov", None, {"video": {"crf": 30}})])
    job = item_job(batch, item)
    assert isinstance(job, Transcode)
    assert (job.video.crf, job.video.speed, job.preset) == (30, "fast", "web-720p")
    assert (job.tenant, job.priority, job.output) == ("acme", 1, "/out/a.mp4")


def test_an_item_of_which_no_job_can_be_made_is_told_and_stops_nothing() -> None:
    batch = Batch(input="/in", output="/out", job={"kind": "normalize"})
    good, bad = items_of(batch, [Entry("/in/a.wav", "a.wav"), Entry("/in/b.txt", "b.txt")])
    assert isinstance(item_job(batch, good), Normalize)
    assert bad.problem is not None
    assert "b.txt" in bad.problem


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"kind": "stitch"}, "cannot be done for each file"),
        ({"kind": "batch"}, "cannot be done for each file"),
        ({"vido": {}}, "vido"),
        ({"id": "x"}, "has it from its batch"),
        ({"kind": "normalize", "target": "loud"}, "target"),
        ({"kind": "pipeline", "pipeline": "archive"}, "pipeline_input"),
    ],
)
def test_a_batch_whose_job_cannot_be_is_refused_at_once(job: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidJob, match=words):
        items_of(BATCH.model_copy(update={"job": job}), [Entry("/in/a.mp4", "a.mp4")])


EPISODES = Batch(
    input="/in",
    output="/out",
    pipeline_input="parts",
    job={"kind": "pipeline", "pipeline": "podcast-episode", "inputs": {"intro": "/jingle.wav"}},
)


def test_a_pipeline_takes_each_file_at_one_input_into_a_folder_of_its_own() -> None:
    entries = [Entry(f"/in/{name}", name) for name in ("a.wav", "b.wav", "b.mp3", "c/b.wav")]
    entries[0] = replace(entries[0], options={"texts": {"title": "Monday"}})
    items = items_of(EPISODES, entries)
    jobs = [item_job(EPISODES, item) for item in items]
    assert all(isinstance(job, Pipeline) for job in jobs)
    assert [job.output for job in jobs if isinstance(job, Pipeline)] == [
        *("/out/a", "/out/b.wav", "/out/b.mp3", "/out/c/b")
    ]
    first = jobs[0]
    assert isinstance(first, Pipeline)
    assert first.inputs == {"intro": "/jingle.wav", "parts": "/in/a.wav"}
    assert first.texts == {"title": "Monday"}
    assert item_id(jobs[1]) != item_id(jobs[2])


def test_a_pipeline_whose_input_is_said_twice_is_refused() -> None:
    twice = EPISODES.model_copy(update={"pipeline_input": "intro"})
    with pytest.raises(InvalidJob, match=r"inputs\.intro is each file of the batch"):
        items_of(twice, [Entry("/in/a.wav", "a.wav")])
    (item,) = items_of(EPISODES, [Entry("/in/a.wav", "a.wav", None, {"inputs": {"parts": "/b"}})])
    assert item.problem is not None
    assert "inputs.parts" in item.problem
    no_pipeline = BATCH.model_copy(update={"pipeline_input": "video"})
    with pytest.raises(InvalidJob, match="pipeline_input"):
        items_of(no_pipeline, [Entry("/in/a.mp4", "a.mp4")])


def test_what_a_pipeline_needs_is_missed_unless_a_list_may_say_it() -> None:
    with pytest.raises(InvalidJob, match=r"texts\.title: words must be given"):
        check_settings(EPISODES)
    check_settings(EPISODES.model_copy(update={"input": "/episodes.csv"}))
    unknown = EPISODES.model_copy(update={"input": "/e.csv", "pipeline_input": "recording"})
    with pytest.raises(InvalidJob, match=r"inputs\.recording: the pipeline asks for no such thing"):
        check_settings(unknown)


def test_who_runs_how_many_at_once_and_what_again_is_no_content() -> None:
    other = BATCH.model_copy(update={"max_parallel": 2, "retry_failed": True, "priority": 1})
    assert content_hash(other) == content_hash(BATCH)
    (item,) = items_of(BATCH, [Entry("/in/a.mp4", "a.mp4")])
    assert item_id(item_job(BATCH, item)) == item_id(item_job(other, item))


def test_paths_in_the_items_job_are_made_absolute(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    batch = Batch(input="in/*.mp4", output="out", job={"video": {"watermark": {"image": "l.png"}}})
    found = located(batch)
    assert isinstance(found, Batch)
    assert found.input == f"{tmp_path}/in/*.mp4"
    assert found.job["video"] == {"watermark": {"image": f"{tmp_path}/l.png"}}
    job = {**EPISODES.job, "inputs": {"cover": "cover.png"}}
    found = located(EPISODES.model_copy(update={"job": job}))
    assert isinstance(found, Batch)
    assert found.job["inputs"] == {"cover": f"{tmp_path}/cover.png"}
