"""Documents of pipelines: read from files and presets, with the line in every complaint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from longtake.contracts.base import Contract
from longtake.contracts.pipeline import Input, Pipeline, PipelineDocument, TextInput
from longtake.documents import Document, Place, read_with_lines
from longtake.errors import InvalidJob
from longtake.pipelines.check import Problem, look
from longtake.pipelines.ports import Port
from longtake.pipelines.references import written
from longtake.presets import application_root, found


def pipeline_presets() -> dict[str, PipelineDocument]:
    """The pipelines that come with Longtake, by name."""
    folder = application_root() / "presets" / "pipelines"
    return {path.stem: read_pipeline(path) for path in sorted(folder.glob("*.yaml"))}


def find_pipeline(name: str) -> PipelineDocument:
    """The preset called `name`. Raises InvalidJob that lists the names there are."""
    presets = pipeline_presets()
    if name not in presets:
        known = ", ".join(presets)
        raise InvalidJob(
            f"there is no pipeline {name!r}. Use one of: {known}; or the path of a YAML file"
        )
    return presets[name]


def read_pipeline(path: Path) -> PipelineDocument:
    """A document from a YAML or JSON file, checked.

    Raises InvalidJob that tells every problem in a line of its own: `upload.yaml:12: steps.film.…`.
    """
    import yaml  # late: most clients read no file

    try:
        document = read_with_lines(path)
    except OSError as error:
        raise InvalidJob(f"pipeline {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidJob(f"pipeline {path} is not YAML: {error}") from error
    try:
        pipeline = PipelineDocument.model_validate(document.content)
    except ValidationError as error:
        wrong = [Problem(place, words) for place, words in found(error)]
        raise _invalid(path.name, document, wrong) from error
    if wrong := look(pipeline).problems:
        raise _invalid(path.name, document, wrong)
    return pipeline


class Prepared(Contract):
    """A pipeline that can be run: its document, and what each step gives, by name."""

    document: PipelineDocument
    ports: dict[str, dict[str, Port]]


def document_of(job: Pipeline) -> PipelineDocument:
    """A job's document, not yet checked. Raises InvalidJob for a preset that is not there."""
    return find_pipeline(job.pipeline) if isinstance(job.pipeline, str) else job.pipeline


def prepare(job: Pipeline, *, whole: bool = True) -> Prepared:
    """Check a job's document, and what the job gives to it. Reads presets. Raises InvalidJob.

    Not `whole`: others add to the job, each in their own way; what is missing is not told.
    """
    document = document_of(job)
    looked = look(document)
    wrong = looked.problems or [*_given(job, document)]
    if whole and not wrong:
        wrong = [*_missing(job, document)] or [*_uneven(job, document)]
    if wrong:
        raise InvalidJob("\n".join(map(_told, wrong)))
    return Prepared(document=document, ports=looked.ports)


def _invalid(name: str, document: Document, wrong: list[Problem]) -> InvalidJob:
    placed = sorted((document.line(problem.place), _told(problem)) for problem in wrong)
    return InvalidJob("\n".join(f"{name}:{line}: {words}" for line, words in placed))


def _told(problem: Problem) -> str:
    place = ".".join(map(str, problem.place))
    return f"{place}: {problem.words}" if place else problem.words


def _given(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
    """Files and words that the document does not ask for, or not for so many."""
    yield from _unasked("inputs", job.inputs, document.inputs)
    yield from _unasked("texts", job.texts, document.texts)
    for name, asked in document.inputs.items():
        yield from _too_many(("inputs", name), job.inputs.get(name), asked)
    for name, words in document.texts.items():
        yield from _too_many(("texts", name), job.texts.get(name), words)


def _missing(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
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


def _uneven(job: Pipeline, document: PipelineDocument) -> Iterator[Problem]:
    """Files and words that stand in one entry of a list, and of which there are not as many."""
    counts = {
        **{f"inputs.{name}": len(_listed(job.inputs.get(name))) for name in _many(document.inputs)},
        **{f"texts.{name}": len(_listed(job.texts.get(name))) for name in _many(document.texts)},
    }
    for step in document.steps.values():
        entries: dict[Place, list[str]] = {}
        for place, value in written(step.fields):
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
