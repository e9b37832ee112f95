"""What a job gives to a pipeline's document: what is too much, what lacks, what is uneven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from longtake.contracts.pipeline import Input, Pipeline, PipelineDocument, TextInput
from longtake.documents import Place
from longtake.pipelines.references import written


class Problem(NamedTuple):
    """What is wrong, and where."""

    place: Place
    words: str

    def within(self, *place: int | str) -> Problem:
        """The same of a document that stands at a place of another one."""
        return Problem((*place, *self.place), self.words)


def surplus(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
    """Files and words that the document does not ask for, or not for so many."""
    yield from _unasked("inputs", job.inputs, document.inputs)
    yield from _unasked("texts", job.texts, document.texts)
    for name, asked in document.inputs.items():
        yield from _too_many(("inputs", name), job.inputs.get(name), asked)
    for name, words in document.texts.items():
        yield from _too_many(("texts", name), job.texts.get(name), words)


def missing(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
    """Files and words that the document cannot do without."""
    for name, asked in document.inputs.items():
        if name not in job.inputs and not asked.optional:
            what = "files" if asked.many else "a file"
            yield Problem(("inputs", name), f"{what} must be given{_about(asked)}")
    for name, words in document.texts.items():
        if name not in job.texts and not words.optional and words.default is None:
            yield Problem(("texts", name), f"words must be given{_about(words)}")


def _too_many(
    place: Place, given: str | tuple[str, ...] | None, asked: Input | TextInput
) -> Iterator[Problem]:
    if not asked.many and isinstance(given, tuple) and len(given) != 1:
        yield Problem(place, f"it is one, not {len(given)}")


def uneven(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
    """Files and words that stand in one entry of a list, and of which there are not as many."""
    counts = {
        **{f"inputs.{name}": len(_listed(job.inputs.get(name))) for name in _many(document.inputs)},
        **{f"texts.{name}": len(_listed(job.texts.get(name))) for name in _many(document.texts)},
    }
    for step in document.steps.values():
        entries: dict[Place, list[str]] = {}
        for place, value in written(step):
            if counts.get(value["from"]):
                entries.setdefault(_entry(place), []).append(value["from"])
        for first, *others in entries.values():
            for other in others:
                if counts[other] != counts[first]:
                    words = f"there are {counts[other]} for {counts[first]} {first}: give as many"
                    yield Problem(tuple(other.split(".")), words)


def _entry(place: Place) -> Place:
    """The entry of a list in which a place lies."""
    numbers = [at for at, part in enumerate(place) if isinstance(part, int)]
    return place[: numbers[-1] + 1] if numbers else place


def _many(asked: Mapping[str, Input] | Mapping[str, TextInput]) -> list[str]:
    return [name for name, each in asked.items() if each.many]


def _listed(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _unasked(
    kind: str, given: Mapping[str, object], asked: Mapping[str, object]
) -> Iterator[Problem]:
    known = ", ".join(asked) or "none"
    for name in given:
        if name not in asked:
            words = f"the pipeline asks for no such thing; it takes {kind}: {known}"
            yield Problem((kind, name), words)


def _about(asked: Input | TextInput) -> str:
    return f": {asked.description}" if asked.description else ""
