"""Documents of pipelines: read from files and presets, with the line in every complaint."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from longtake.contracts.base import Contract
from longtake.contracts.pipeline import Pipeline, PipelineDocument
from longtake.documents import Document, in_a_line, read_with_lines
from longtake.errors import InvalidJob
from longtake.pipelines.check import look
from longtake.pipelines.given import Problem, missing, surplus, uneven
from longtake.pipelines.nested import MOST_LEVELS, whole
from longtake.pipelines.ports import Port
from longtake.presets import application_root, found


def pipeline_presets() -> dict[str, PipelineDocument]:
    """The pipelines that come with Longtake, by name."""
    folder = application_root() / "presets" / "pipelines"
    return {path.stem: read_pipeline(path) for path in sorted(folder.glob("*.yaml"))}


def names_file(text: str) -> bool:
    """Whether what stands for a document is a file's path, and no preset's name."""
    return text.endswith((".yaml", ".yml", ".json")) or "/" in text


def find_pipeline(name: str) -> PipelineDocument:
    """The preset called `name`. Raises InvalidJob that lists the names there are."""
    presets = pipeline_presets()
    if name not in presets:
        known = ", ".join(presets)
        raise InvalidJob(
            f"there is no pipeline {name!r}. Use one of: {known}; or the path of a YAML file"
        )
    return presets[name]


def read_pipeline(path: Path, within: tuple[Path, ...] = ()) -> PipelineDocument:
    """A document from a YAML or JSON file, checked, with those in it that its steps name. A file's
    name counts from the folder of the document that names it.

    `within`: the documents that it is a step in, the outermost first.

    Raises InvalidJob that tells every problem in a line of its own: `upload.yaml:12: steps.film.…`.
    """
    import yaml  # late: most clients read no file

    try:
        document = read_with_lines(path)
    except OSError as error:
        raise InvalidJob(f"pipeline {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidJob(f"pipeline {path} is not YAML: {in_a_line(error)}") from error
    try:
        pipeline = PipelineDocument.model_validate(document.content)
    except ValidationError as error:
        wrong = [Problem(place, words) for place, words in found(error)]
        raise _invalid(path.name, document, wrong) from error
    pipeline, wrong = whole(pipeline, lambda name: _named(name, (*within, path)))
    if wrong := wrong or look(pipeline).problems:
        raise _invalid(path.name, document, wrong)
    return pipeline


def _named(name: str, within: tuple[Path, ...]) -> PipelineDocument:
    """The document that a step of another one names, a preset or a file."""
    if not names_file(name):
        return find_pipeline(name)
    if len(within) == MOST_LEVELS:
        chain = " → ".join([*(path.name for path in within), Path(name).name])
        raise InvalidJob(
            f"pipelines stand in one another {MOST_LEVELS} levels deep, and no deeper: {chain}"
        )
    return read_pipeline(within[-1].parent / name, within)


class Prepared(Contract):
    """A pipeline that can be run: its document, and what each step gives, by name."""

    document: PipelineDocument
    ports: dict[str, dict[str, Port]]


def document_of(job: Pipeline) -> PipelineDocument:
    """A job's document, with those in it that its steps name; not yet checked. Raises InvalidJob
    for a preset that is not there."""
    named = find_pipeline(job.pipeline) if isinstance(job.pipeline, str) else job.pipeline
    document, wrong = whole(named, _preset)
    if wrong:
        raise InvalidJob("\n".join(map(_told, wrong)))
    return document


def _preset(name: str) -> PipelineDocument:
    if names_file(name):
        raise InvalidJob(f"{name!r} is a file, which only a document in a file of its own may name")
    return find_pipeline(name)


def prepare(job: Pipeline, *, complete: bool = True) -> Prepared:
    """Check a job's document, and what the job gives to it. Reads presets. Raises InvalidJob.

    Not `complete`: others add to the job, each in their own way; what is missing is not told.
    """
    document = document_of(job)
    looked = look(document)
    wrong = looked.problems or [*surplus(job, document)]
    if complete and not wrong:
        wrong = [*missing(job, document)] or [*uneven(job, document)]
    if wrong:
        raise InvalidJob("\n".join(map(_told, wrong)))
    return Prepared(document=document, ports=looked.ports)


def _invalid(name: str, document: Document, wrong: list[Problem]) -> InvalidJob:
    placed = sorted((document.line(problem.place), _told(problem)) for problem in wrong)
    return InvalidJob("\n".join(f"{name}:{line}: {words}" for line, words in placed))


def _told(problem: Problem) -> str:
    place = ".".join(map(str, problem.place))
    return f"{place}: {problem.words}" if place else problem.words
