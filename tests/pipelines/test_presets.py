"""The pipelines that come with Longtake, and how they are drawn and reckoned."""

from __future__ import annotations

import re

import pytest

from longtake.contracts.pipeline import Facts, PipelineDocument, StepStatus
from longtake.errors import InvalidJob
from longtake.pipelines.document import find_pipeline, pipeline_presets
from longtake.pipelines.draw import markdown, mermaid, tree
from longtake.pipelines.estimate import estimate
from longtake.pipelines.graph import Graph

PRESETS = pipeline_presets()
FILM = Facts(
    has_video=True, has_audio=True, width=1920, height=1080, frame_rate=30, duration_s=600,
    bytes=500_000_000,
)  # fmt: skip
KINDS = {
    "video-upload": {"probe", "package", "preview", "transcribe", "transcode"},
    "podcast-episode": {"stitch", "transcribe", "probe"},
    "lecture": {"transcode", "transcribe", "package"},
    "archive": {"transcode", "probe", "checksums", "report"},
}


def test_the_presets_do_what_they_are_called() -> None:
    found = {name: {step.kind for step in each.steps.values()} for name, each in PRESETS.items()}
    assert found == KINDS
    with pytest.raises(InvalidJob, match="video-upload"):
        find_pipeline("upload")


def costs(document: PipelineDocument, film: Facts) -> dict[str, float | None]:
    media = [name for name, each in document.inputs.items() if each.type in ("media", "video")]
    return estimate(document, dict.fromkeys(media, (film,)))


@pytest.mark.parametrize("name", PRESETS)
def test_a_longer_film_costs_more_and_an_unknown_one_cannot_be_reckoned(name: str) -> None:
    short = costs(PRESETS[name], FILM)
    twice = costs(PRESETS[name], FILM.model_copy(update={"duration_s": 1200, "bytes": 10**9}))
    for step, cost in short.items():
        again = twice[step]
        assert cost is not None
        assert again is not None
        assert again == pytest.approx(2 * cost)
    assert set(estimate(PRESETS[name], {}).values()) <= {None, 0.0}


@pytest.mark.parametrize("name", PRESETS)
def test_a_tree_has_each_step_once_below_the_last_that_it_needs(name: str) -> None:
    document = PRESETS[name]
    lines = tree(document, costs=costs(document, FILM)).splitlines()[1:-1]
    steps = [re.sub(r"[│├└─ ]*", "", line, count=1).split()[0] for line in lines]
    assert sorted(steps) == sorted(document.steps)
    graph = Graph(document)
    for number, step in enumerate(steps):
        assert set(graph.needs[step]) <= set(steps[:number])


def test_mermaid_has_a_line_for_each_need_dotted_where_nothing_may_come() -> None:
    drawn = mermaid(PRESETS["video-upload"])
    assert re.search(r'^flowchart LR\n  s0\["facts<br/>probe"\]', drawn)
    assert "  s1 -.-> s2" in drawn.splitlines()
    assert drawn.count("-->") == 0


def test_states_are_drawn() -> None:
    document = PRESETS["video-upload"]
    statuses = {
        "facts": StepStatus(name="facts", kind="probe", state="done"),
        "captions": StepStatus(
            name="captions", kind="transcribe", state="skipped", why="the file has no sound"
        ),
        "stream": StepStatus(name="stream", kind="package", state="running", fraction=0.42),
    }
    assert "● stream  package  running 42%" in tree(document, statuses=statuses)
    table = markdown(document, statuses)
    assert "| – captions | transcribe | skipped: the file has no sound |" in table
    assert "| ○ sound | transcode | waiting |" in table
    assert re.search(r"style s0 fill:#\w+", mermaid(document, statuses=statuses))
