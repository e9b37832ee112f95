"""References: where they stand in a step, and the job that a step becomes once they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from longtake.contracts.job import Job
from longtake.contracts.pipeline import From, PipelineDocument, Step
from longtake.documents import Place
from longtake.errors import InvalidJob
from longtake.pipelines.ports import OPAQUE, STEPS, taken_at
from longtake.places import moved

Given = Callable[[From], Sequence[str]]
"""The URIs or words that a reference means; none where there is nothing."""


def is_reference(value: object) -> bool:
    """Whether a value in a step's fields is a reference, well written or not."""
    return isinstance(value, Mapping) and "from" in value


def written(step: Step) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Each reference in a step's fields as it is written, with its place. Those of a pipeline that
    is itself the step are its own."""
    for name, value in step.fields.items():
        if name != OPAQUE.get(step.kind):
            yield from _written(value, (name,))


def _written(value: object, place: Place) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        if is_reference(value):
            yield place, value
            return
        for name, inner in value.items():
            yield from _written(inner, (*place, name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _written(inner, (*place, number))


def references(step: Step) -> list[From]:
    """All references of a step whose document was checked."""
    return [From.model_validate(value) for _, value in written(step)]


def needs(document: PipelineDocument, name: str) -> tuple[str, ...]:
    """The steps that must have ended before a step begins, in the document's order."""
    step = document.steps[name]
    referred = [reference.from_ for reference in references(step)]
    if step.when and step.when.of:
        referred.append(step.when.of)
    wanted = {*step.needs, *(reference.partition(".")[0] for reference in referred)}
    return tuple(other for other in document.steps if other in wanted)


def filled(step: Step, given: Given) -> dict[str, Any]:
    """A step's fields with what its references mean.

    A reference to nothing leaves its field out; a file that is not there, and would stand in an
    entry of a list, the whole entry. An entry that refers to several files or words stands there
    once for each of them. Raises InvalidJob where it refers to more of one than of another.
    """
    opaque = OPAQUE.get(step.kind, "")
    own = {name: value for name, value in step.fields.items() if name != opaque}
    as_it_is = {opaque: step.fields[opaque]} if opaque in step.fields else {}
    return {**_Filling(step.kind, given).object(own, ()), **as_it_is}


class _Filling:
    def __init__(self, kind: str, given: Given) -> None:
        self._kind = kind
        self._given = given

    def object(self, value: Mapping[str, Any], place: Place) -> dict[str, Any]:
        found = {name: self._variants(inner, (*place, name)) for name, inner in value.items()}
        return {name: variants[0] for name, variants in found.items() if variants}

    def _variants(self, value: Any, place: Place) -> list[Any]:
        """What becomes of a value: itself, or nothing; in a list, an entry for each file."""
        if is_reference(value):
            return list(self._given(From.model_validate(value)))
        if isinstance(value, list | tuple):
            entries = [
                each
                for number, entry in enumerate(value)
                for each in self._entries(entry, (*place, number))
            ]
            # No file of several is an input that was left out.
            return [] if self._kind == "pipeline" and value and not entries else [entries]
        return [self.object(value, place)] if isinstance(value, Mapping) else [value]

    def _entries(self, value: Any, place: Place) -> list[Any]:
        if is_reference(value) or not isinstance(value, Mapping):
            return self._variants(value, place)
        found: dict[str, list[Any]] = {}
        for name, inner in value.items():
            found[name] = self._variants(inner, (*place, name))
            if not found[name] and not self._is_words((*place, name)):
                return []
        count = max(map(len, found.values()), default=1)
        for name, variants in found.items():
            if len(variants) not in (0, 1, count):
                raise InvalidJob(f"{name} is there {len(variants)} times for {count} entries")
        return [
            {name: each[number % len(each)] for name, each in found.items() if each}
            for number in range(count)
        ]

    def _is_words(self, place: Place) -> bool:
        return taken_at(self._kind, place) in ("text", "language")


def step_job(step: Step, given: Given, folder: str, envelope: Mapping[str, Any]) -> Job:
    """The job of a step: references filled in, outputs in `folder`, under this envelope.

    Raises InvalidJob or pydantic's ValidationError if what the references mean does not fit.
    """
    contract = STEPS[step.kind]
    fields = filled(step, given)
    for place in contract.WRITES:
        fields = moved(fields, place, lambda path: within(folder, path))
    return contract.model_validate({**fields, "kind": step.kind, **envelope})


def within(folder: str, path: str) -> str:
    """Where a step's relative output lies; `.` is the folder itself."""
    folder = folder.rstrip("/")
    return folder if path == "." else f"{folder}/{path.removeprefix('./')}"
