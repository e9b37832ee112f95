"""The graph of a pipeline's steps: which need which, and what may begin now.

What a step that did not succeed means for those that need it is decided here alone:

- It was skipped, for its `when` did not hold or what it refers to is not there; or it failed with
  `on_error: continue`: it made nothing. A step that refers to its outputs is skipped, unless it
  says `optional`; one that only `needs` it begins.
  A batch that failed in this way made its report all the same.
- It failed with `on_error: skip`: all that need it, in whatever way, are skipped, and what needs
  those.
- It failed with `on_error: fail`: the pipeline fails, and nothing begins any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from longtake.contracts.pipeline import PipelineDocument, Step
from longtake.pipelines.references import needs, references

End = Literal["done", "unwanted", "dropped", "failed"]
"""How a step ended. `unwanted` and `dropped` were skipped: what needs a dropped one is dropped."""


@dataclass(frozen=True)
class Standing:
    """How far a pipeline is."""

    ended: Mapping[str, End] = field(default_factory=dict)
    running: Collection[str] = ()
    approved: Collection[str] = ()
    """Steps that a person has let through their gate."""


@dataclass(frozen=True)
class Skipped:
    """A step that is not done, and why."""

    end: Literal["unwanted", "dropped"]
    why: str


@dataclass(frozen=True)
class Moves:
    """What follows from how far a pipeline is."""

    ready: tuple[str, ...] = ()
    """Steps to begin now, all at once."""
    gated: tuple[str, ...] = ()
    """Steps that wait for approval alone."""
    skipped: Mapping[str, Skipped] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    """Steps that make the pipeline fail."""
    over: bool = False
    """Whether every step has ended, those skipped here among them; or the pipeline has failed and
    none is at work."""


class Graph:
    """The steps of a document and what each needs.

    `needs`: by step, the steps that must have ended before it begins.
    """

    def __init__(self, document: PipelineDocument) -> None:
        self.steps = document.steps
        self.needs = {name: needs(document, name) for name in document.steps}
        self._wanted = {name: tuple(_wanted(step)) for name, step in document.steps.items()}

    def circle(self) -> tuple[str, ...]:
        """Steps that need each other, each the next and the last the first; else none."""
        try:
            TopologicalSorter(self.needs).prepare()
        except CycleError as error:
            return tuple(reversed(error.args[1][1:]))
        return ()

    def before(self, name: str) -> tuple[str, ...]:
        """All steps that one needs, and those that these need, in order."""
        found = set(self.needs[name])
        for other in reversed(self.order):
            if other in found:
                found |= set(self.needs[other])
        return tuple(other for other in self.order if other in found)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The steps, each behind all that it needs; else as they are written. Of a graph
        without circles."""
        placed: dict[str, None] = {}

        def place(name: str) -> None:
            for other in self.needs[name]:
                if other not in placed:
                    place(other)
            placed[name] = None

        for name in self.steps:
            if name not in placed:
                place(name)
        return tuple(placed)

    def moves(
        self,
        standing: Standing,
        *,
        there: Callable[[str], bool],
        holds: Callable[[Step], str | None],
    ) -> Moves:
        """What may begin, waits for approval, or is skipped, now.

        `there` says whether a reference such as `inputs.video` or `normalize.audio` means anything;
        of steps, it is asked of those alone that are done or failed. `holds` says why a step's
        `when` does not hold, None if it does; it is asked once the file is there.
        """
        failed = tuple(
            name
            for name, end in standing.ended.items()
            if end == "failed" and self.steps[name].on_error == "fail"
        )
        if failed:
            return Moves(failed=failed, over=not standing.running)
        ended = dict(standing.ended)
        skipped: dict[str, Skipped] = {}
        free: list[str] = []
        for name in self.order:
            if name in ended or name in standing.running:
                continue
            if not all(other in ended for other in self.needs[name]):
                continue
            if skip := self._skip(name, ended, there, holds):
                skipped[name] = skip
                ended[name] = skip.end
            else:
                free.append(name)
        gated = [name for name in free if self.steps[name].gate and name not in standing.approved]
        return Moves(
            ready=tuple(name for name in free if name not in gated),
            gated=tuple(gated),
            skipped=skipped,
            over=len(ended) == len(self.steps),
        )

    def _skip(
        self,
        name: str,
        ended: Mapping[str, End],
        there: Callable[[str], bool],
        holds: Callable[[Step], str | None],
    ) -> Skipped | None:
        """Why a step whose needs have ended is not done; None if it is."""
        for other in self.needs[name]:
            if ended[other] == "dropped":
                return Skipped("dropped", f"it needs {other}, which was skipped")
            if ended[other] == "failed" and self.steps[other].on_error == "skip":
                return Skipped("dropped", f"it needs {other}, which failed")
        for reference in self._wanted[name]:
            source = reference.partition(".")[0]
            if ended.get(source, "done") not in ("done", "failed") or not there(reference):
                return Skipped("unwanted", f"there is no {reference}{_because(reference, ended)}")
        why = holds(self.steps[name]) if self.steps[name].when else None
        return Skipped("unwanted", why) if why else None


def _wanted(step: Step) -> Iterator[str]:
    """What a step cannot be done without."""
    yield from (each.from_ for each in references(step) if not each.optional)
    if step.when and step.when.of:
        yield step.when.of


def _because(reference: str, ended: Mapping[str, End]) -> str:
    source = reference.partition(".")[0]
    if source not in ended:
        return ", for it was not given"
    words = {"failed": "failed", "unwanted": "was skipped", "done": "made none"}
    return f", for {source} {words[ended[source]]}"
