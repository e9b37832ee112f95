"""The planner: every step after what it needs, once, all at once that can be, to an end."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longtake.contracts.pipeline import PipelineDocument, Step
from longtake.pipelines.graph import End, Graph, Skipped, Standing
from tests.pipelines.documents import bare

ON_ERROR = ("fail", "skip", "continue")


@st.composite
def documents(draw: st.DrawFn) -> PipelineDocument:
    """Steps that need and refer to earlier ones, written in any order."""
    count = draw(st.integers(1, 8))
    steps: dict[str, dict[str, Any]] = {}
    for number in range(count):
        earlier = [f"s{other}" for other in range(number)]
        chosen = st.lists(st.sampled_from(earlier), unique=True) if earlier else st.just([])
        steps[f"s{number}"] = {
            "needs": draw(chosen),
            "files": [
                {"from": f"{other}.out", "optional": draw(st.booleans())} for other in draw(chosen)
            ],
            "on_error": draw(st.sampled_from(ON_ERROR)),
            "when": {"has_video": True} if draw(st.booleans()) else None,
            "gate": "approval" if draw(st.booleans()) else None,
        }
    return bare({name: steps[name] for name in draw(st.permutations(list(steps)))})


class Run:
    """A pipeline that is run, with fates that are drawn: an independent account of the rules."""

    def __init__(self, document: PipelineDocument, seed: int) -> None:
        self.document = document
        self.graph = Graph(document)
        self.random = random.Random(seed)
        # One that fails for good ends all; it is rarer than what is looked at behind it.
        self.fails = {
            name
            for name, step in document.steps.items()
            if self.random.random() < (0.05 if step.on_error == "fail" else 0.5)
        }
        self.refused = {name for name in document.steps if self.random.random() < 0.2}
        self.ended: dict[str, End] = {}
        self.running: list[str] = []
        self.approved: set[str] = set()
        self.started: list[str] = []
        self.reasons: dict[str, Skipped] = {}

    def holds(self, step: Step) -> str | None:
        """Some conditions do not hold."""
        name = next(each for each, other in self.document.steps.items() if other is step)
        return "no picture" if name in self.refused else None

    def there(self, reference: str) -> bool:
        """What a step made is there if it did its job."""
        source = reference.partition(".")[0]
        assert self.ended[source] in ("done", "failed"), "asked for what was not made"
        return self.ended[source] == "done"

    def refers(self, name: str) -> dict[str, bool]:
        """Steps that a step refers to, and whether it can do without."""
        files = self.document.steps[name].fields["files"]
        found: dict[str, bool] = {}
        for each in files:
            source = each["from"].partition(".")[0]
            found[source] = found.get(source, True) and each["optional"]
        return found

    def to_its_end(self) -> None:
        """Step by step; what runs ends in any order."""
        for _ in range(10 * len(self.document.steps) + 10):
            standing = Standing(dict(self.ended), list(self.running), set(self.approved))
            moves = self.graph.moves(standing, there=self.there, holds=self.holds)
            for name, skip in moves.skipped.items():
                assert name not in self.ended
                self.ended[name] = skip.end
                self.reasons[name] = skip
            for name in moves.ready:
                assert name not in self.started
                assert all(other in self.ended for other in self.graph.needs[name])
                self.started.append(name)
                self.running.append(name)
            self.all_that_can(moves.gated, moves.failed)
            if moves.over:
                assert not self.running
                return
            if self.running and (not moves.gated or self.random.random() < 0.5):
                name = self.running.pop(self.random.randrange(len(self.running)))
                self.ended[name] = "failed" if name in self.fails else "done"
            elif moves.gated:
                self.approved.add(self.random.choice(moves.gated))
        raise AssertionError("it never ends")

    def all_that_can(self, gated: tuple[str, ...], failed: tuple[str, ...]) -> None:
        """Nothing is left waiting whose turn has come."""
        for name in self.document.steps:
            if name in self.ended or name in self.running or name in gated or failed:
                continue
            assert any(other not in self.ended for other in self.graph.needs[name]), name


def fate(run: Run, name: str) -> End:
    """What the rules say of a step, from the fates of what it needs."""
    step = run.document.steps[name]
    for other in run.graph.needs[name]:
        passes_on = run.document.steps[other].on_error == "skip"
        if fate(run, other) == "dropped" or (fate(run, other) == "failed" and passes_on):
            return "dropped"
    if any(not free and fate(run, other) != "done" for other, free in run.refers(name).items()):
        return "unwanted"
    if step.when and name in run.refused:
        return "unwanted"
    return "failed" if name in run.fails else "done"


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(0, 2**32))
def test_every_step_meets_its_fate_once_whatever_the_order(
    document: PipelineDocument, seed: int
) -> None:
    run = Run(document, seed)
    run.to_its_end()
    fatal = [
        name
        for name, end in run.ended.items()
        if end == "failed" and document.steps[name].on_error == "fail"
    ]
    assert fatal or set(run.ended) == set(document.steps)
    assert all(end == fate(run, name) for name, end in run.ended.items())
    assert all(skip.why for skip in run.reasons.values())
    gated = {name for name in run.started if document.steps[name].gate}
    assert gated <= run.approved


@given(documents())
def test_the_order_has_each_step_behind_its_needs(document: PipelineDocument) -> None:
    graph = Graph(document)
    assert graph.circle() == ()
    assert sorted(graph.order) == sorted(document.steps)
    for name in document.steps:
        before = graph.order[: graph.order.index(name)]
        assert set(graph.needs[name]) <= set(before)


def test_a_circle_is_found_and_named() -> None:
    graph = Graph(
        bare(
            {
                "a": {},
                "b": {"needs": ["a", "d"]},
                "c": {"needs": ["b"]},
                "d": {"needs": ["c"]},
                "e": {"needs": ["d"]},
            }
        )
    )
    circle = graph.circle()
    assert sorted(circle) == ["b", "c", "d"]
    following = [*circle[1:], circle[0]]
    assert all(b in graph.needs[a] for a, b in zip(circle, following, strict=True))


def test_nothing_begins_once_the_pipeline_failed() -> None:
    graph = Graph(bare({"a": {}, "b": {}, "c": {}}))
    standing = Standing({"a": "failed"}, running=["b"])
    moves = graph.moves(standing, there=lambda _: True, holds=lambda _: None)
    assert (moves.failed, moves.ready, moves.over) == (("a",), (), False)
