"""Pipelines in pipelines: the documents that steps hold, what these take, and what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from longtake.contracts.pipeline import PipelineDocument, Step
from longtake.documents import Place
from longtake.errors import InvalidJob
from longtake.pipelines.given import Problem
from longtake.pipelines.ports import Port, Taken

MOST_LEVELS = 3
"""Of documents, the outermost counted. Each is a level more of ids, `JOB.STEP.STEP`."""
_PLACES: Mapping[str, Place] = {"pipeline": ("pipeline",), "batch": ("job", "pipeline")}
"""Where a step holds a document, by its kind."""


class Inner(NamedTuple):
    """A document that a step holds."""

    document: PipelineDocument
    ports: dict[str, dict[str, Port]]
    """What each of its steps gives; none if the document is not right."""

    @property
    def gives(self) -> dict[str, Port]:
        """What it gives as a step: its outputs, whose role in its result is their name."""
        found = {}
        for name, reference in self.document.outputs.items():
            source, _, output = reference.from_.partition(".")
            found[name] = self.ports[source][output].model_copy(update={"role": name})
        return found


def document_at(step: Step) -> tuple[Place, object]:
    """Where a step holds a document, or names one, and what stands there."""
    place = _PLACES.get(step.kind, ())
    found: Any = step.fields if place else None
    for name in place:
        found = found.get(str(name)) if isinstance(found, Mapping) else None
    return place, found


def takes(document: PipelineDocument, place: Place) -> Taken | None:
    """What a place such as `inputs.film` takes in a step that does this document."""
    asked: Mapping[str, Mapping[str, Any]] = {"inputs": document.inputs, "texts": document.texts}
    kind, *names = place
    found = asked.get(str(kind), {}).get(str(names[0])) if names else None
    taken: Taken | None = found.type if found else None
    return taken


def whole(
    document: PipelineDocument, find: Callable[[str], PipelineDocument]
) -> tuple[PipelineDocument, list[Problem]]:
    """A document with those in it that its steps name: what it does is then written in it alone.

    `find` raises InvalidJob for a name that leads nowhere; it is told with its place.
    """
    wrong: list[Problem] = []
    steps = {}
    for name, step in document.steps.items():
        steps[name], problems = _whole(step, find)
        wrong += [problem.within("steps", name) for problem in problems]
    found = document.model_copy(update={"steps": steps})
    if document.on_cancel:
        last, problems = _whole(document.on_cancel, find)
        wrong += [problem.within("on_cancel") for problem in problems]
        found = found.model_copy(update={"on_cancel": last})
    return found, wrong


def _whole(step: Step, find: Callable[[str], PipelineDocument]) -> tuple[Step, list[Problem]]:
    place, there = document_at(step)
    if there is None:
        return step, []
    wrong: list[Problem] = []
    try:
        if isinstance(there, str):
            document = find(there)
        else:
            document, wrong = whole(PipelineDocument.model_validate(there), find)
    except InvalidJob as error:
        return step, [Problem(place, line) for line in error.message.splitlines()]
    except ValidationError:
        return step, []  # it is told when the document is looked through, or its step
    told = document.model_dump(mode="json", exclude_none=True)
    fields = _put(step.fields, place, told)
    return step.model_copy(update=fields), [problem.within(*place) for problem in wrong]


def _put(fields: Mapping[str, Any], place: Place, value: object) -> dict[str, Any]:
    name, *rest = map(str, place)
    inner = _put(fields[name], tuple(rest), value) if rest else value
    return {**fields, name: inner}
