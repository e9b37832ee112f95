"""What can be told of a pipeline's document before anything runs: every problem, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pydantic import ValidationError

from longtake.contracts.job import Job
from longtake.contracts.pipeline import (
    From,
    Input,
    Pipeline,
    PipelineDocument,
    Step,
    TextInput,
)
from longtake.documents import Place
from longtake.errors import InvalidJob
from longtake.identity import with_files
from longtake.kinds import DEFAULT_KIND
from longtake.pipelines.given import Problem, missing, surplus
from longtake.pipelines.graph import Graph
from longtake.pipelines.nested import MOST_LEVELS, Inner, document_at, takes
from longtake.pipelines.ports import (
    STEPS,
    TAKES,
    Port,
    Taken,
    fits,
    made_by,
    port_of_input,
    taken_at,
    words,
)
from longtake.pipelines.references import step_job, within, written
from longtake.places import places
from longtake.preflight import check_settings
from longtake.presets import found

GIVEN = ("inputs", "texts")
"""What references call by these names is given to the pipeline, not made by a step."""
PLAYED = ("video", "audio", "media")
"""Types of files that have facts."""
_OF_THE_PIPELINE = ("id", "tenant", "deadline", "overwrite", "notify")
"""Fields of a job that a step does not say."""


class Looked(NamedTuple):
    """What a look at a document found."""

    problems: list[Problem]
    """Everything that is wrong."""
    ports: dict[str, dict[str, Port]]
    """What each step gives, by name."""
    jobs: dict[str, Job]
    """The job of each step, with stand-ins for what it refers to."""


def look(document: PipelineDocument, *, level: int = 1) -> Looked:
    """Look a document through, with Longtake's presets. Without problems it can be run.

    `level`: 2 for a document that is a step of another one, and so on.
    """
    found = [
        problem
        for name, step in document.steps.items()
        for problem in _of_step(document, ("steps", name), step)
    ]
    if document.on_cancel:
        found += _of_last_step(document, document.on_cancel)
        if "on_cancel" in document.steps:
            words = "it is told as on_cancel, which the document has beside it: call it otherwise"
            found.append(Problem(("steps", "on_cancel"), words))
    inside: dict[str, Inner] = {}
    for place, step in _placed(document):
        problems, inner = _look_inside(step, level)
        found += [problem.within(*place) for problem in problems]
        if inner:
            inside[str(place[-1])] = inner
    if not found and (circle := Graph(document).circle()):
        circled = " → ".join([*circle, circle[0]])
        found.append(Problem(("steps", circle[0]), f"steps need each other in a circle: {circled}"))
    if found:
        return Looked(found, {}, {})
    references = _References(document, inside)
    return Looked(list(references.problems()), references.ports, references.jobs)


def _placed(document: PipelineDocument) -> Iterator[tuple[Place, Step]]:
    """Every step, with its place."""
    yield from ((("steps", name), step) for name, step in document.steps.items())
    if document.on_cancel:
        yield ("on_cancel",), document.on_cancel


def _look_inside(step: Step, level: int) -> tuple[list[Problem], Inner | None]:
    """What is wrong with the document that a step holds, and what that one gives."""
    place, written_there = document_at(step)
    if written_there is None:
        return [], None
    if level == MOST_LEVELS:
        words = f"pipelines stand in one another {MOST_LEVELS} levels deep, and no deeper"
        return [Problem(place, f"{words}: write its steps where it stands")], None
    try:
        document = PipelineDocument.model_validate(written_there)
    except ValidationError as error:
        return [Problem((*place, *inner), words) for inner, words in found(error)], None
    looked = look(document, level=level + 1)
    return [problem.within(*place) for problem in looked.problems], Inner(document, looked.ports)


def published(document: PipelineDocument) -> tuple[str, ...]:
    """The steps that write to the pipeline's folder, in the document's order. What a batch makes no
    step can refer to: it is always for people."""
    named = {reference.from_.partition(".")[0] for reference in document.outputs.values()}
    return tuple(
        name for name, step in document.steps.items() if name in named or step.kind == "batch"
    )


def played_input(document: PipelineDocument) -> str | None:
    """The one input that has facts; None where there are several, or none."""
    played = [name for name, each in document.inputs.items() if each.type in PLAYED]
    return played[0] if len(played) == 1 and not document.inputs[played[0]].many else None


def _of_step(document: PipelineDocument, place: Place, step: Step) -> Iterator[Problem]:
    """What is wrong with a step, wherever its references lead."""
    if place[-1] in GIVEN:
        yield Problem(place, f"a step cannot be called {place[-1]}: references mean what is given")
    if step.kind not in STEPS:
        known = ", ".join(STEPS)
        yield Problem((*place, "kind"), f"{step.kind!r} cannot be a step; use one of: {known}")
    for field in _OF_THE_PIPELINE:
        if field in step.fields:
            instead = "; write deadline_s" if field == "deadline" else ""
            yield Problem((*place, field), f"{field} is the whole pipeline's{instead}")
    if step.kind == "batch" and "retry_failed" in step.fields:
        words = "leave it out: a batch that runs again does what failed, and what is new"
        yield Problem((*place, "retry_failed"), words)
    for number, name in enumerate(step.needs):
        if name not in document.steps:
            yield Problem((*place, "needs", number), _no_step(name, document.steps))
    if step.kind == "report" and not step.needs:
        yield Problem(place, "a report tells of the steps that it needs: name them in needs")
    for where, value in written(step):
        try:
            From.model_validate(value)
        except ValidationError as error:
            for inner, message in found(error):
                yield Problem((*place, *where, *inner), message)


def _of_last_step(document: PipelineDocument, step: Step) -> Iterator[Problem]:
    """What is wrong with the step that is done on cancel."""
    for field in ("needs", "when", "gate"):
        if getattr(step, field):
            yield Problem(("on_cancel", field), "a step on cancel is done at once: leave it out")
    if step.kind == "report":
        yield Problem(("on_cancel", "kind"), "a step on cancel needs none that it could report")
        return
    yield from _of_step(document, ("on_cancel",), step)
    for where, value in written(step):
        source = str(value["from"]).partition(".")[0]
        if source not in GIVEN and not value.get("optional"):
            yield Problem(("on_cancel", *where), "the step may not have run: add optional: true")


def _no_step(name: str, steps: Sequence[str] | dict[str, Step]) -> str:
    return f"there is no step {name!r}; there are {', '.join(steps)}"


class _References:
    """Where references lead, what they give, and whether it fits.

    A step whose own fields are wrong has no ports, and nothing is said of references to it: one
    mistake is told once.
    """

    def __init__(self, document: PipelineDocument, inside: Mapping[str, Inner]) -> None:
        self._document = document
        self._inside = inside
        self.jobs: dict[str, Job] = {}
        self._words = {
            f"texts.{name}": each.default for name, each in document.texts.items() if each.default
        }
        self._ports: dict[str, dict[str, Port] | None] = {
            "inputs": {name: _port(each) for name, each in document.inputs.items()},
            "texts": {name: _port(each) for name, each in document.texts.items()},
            **dict.fromkeys(document.steps),
        }

    @property
    def ports(self) -> dict[str, dict[str, Port]]:
        """What the steps give that are right in themselves."""
        return {name: ports for name, ports in self._ports.items() if ports and name not in GIVEN}

    def problems(self) -> Iterator[Problem]:
        document = self._document
        for name in Graph(document).order:
            yield from self._step(("steps", name), document.steps[name])
        if document.on_cancel:
            yield from self._step(("on_cancel",), document.on_cancel)
        for name, reference in document.outputs.items():
            yield from self._output(("outputs", name), reference)
        yield from self._written_twice()

    def _find(self, reference: str) -> Port | str | None:
        """A port; or words that say what there is instead; or None, where nothing is known."""
        source, _, name = reference.partition(".")
        if source not in self._ports:
            return _no_step(source, self._document.steps)
        ports = self._ports[source]
        if ports is None:
            return None
        if name in ports:
            return ports[name]
        if source in GIVEN:
            known = ", ".join(f"{source}.{one}" for one in ports) or "none"
            return f"there is no {reference}; there are: {known}"
        return f"step {source} gives no {name!r}; it gives: {', '.join(ports)}"

    def _step(self, place: Place, step: Step) -> Iterator[Problem]:
        wrong = [
            *self._places(place, step),
            *self._when((*place, "when"), step),
            *_addresses(place, step),
            *_paths(place, step),
        ]
        yield from wrong or self._job(place, step)

    def _job(self, place: Place, step: Step) -> Iterator[Problem]:
        """What is wrong with a step's job; what is right gives its ports."""
        name = str(place[-1])
        try:
            job = self._tried(step, optional=True)
            if wrong := self._ill_given(name, job):
                yield from (problem.within(*place) for problem in wrong)
                return
            if not isinstance(job, Pipeline):  # whose document was looked through
                check_settings(job)
            self.jobs[name] = job
            self._ports[name] = self._made_by(name, job)
        except ValidationError as error:
            yield from (Problem((*place, *inner), message) for inner, message in found(error))
            return
        except InvalidJob as error:
            yield Problem(place, error.message)
            return
        try:
            lacks = [words for _, words in self._ill_given(name, self._tried(step, optional=False))]
        except ValidationError as error:
            lacks = [message for _, message in found(error)]
        if lacks:
            words = f"it cannot be done without what is optional: {'; '.join(lacks)}"
            yield Problem(place, words)

    def _ill_given(self, name: str, job: Job) -> list[Problem]:
        """What a pipeline that is a step is given and does not ask for, and what it lacks."""
        if not isinstance(job, Pipeline):
            return []
        document = self._inside[name].document
        return [*surplus(job, document), *missing(job, document)]

    def _made_by(self, name: str, job: Job) -> dict[str, Port]:
        return self._inside[name].gives if isinstance(job, Pipeline) else made_by(job)

    def _tried(self, step: Step, *, optional: bool) -> Job:
        """The step's job with stand-ins for what its references mean, or all but optional ones."""

        def given(reference: From) -> Sequence[str]:
            port = self._find(reference.from_)
            if reference.optional and not optional:
                return ()
            return _stand_ins(
                reference.from_, port if isinstance(port, Port) else Port(type="media")
            )

        return step_job(step, given, "/output", {})

    def _places(self, place: Place, step: Step) -> Iterator[Problem]:
        for where, value in written(step):
            reference = From.model_validate(value).from_
            if words := self._misplaced(step, self._taken(place, step, where), where, reference):
                yield Problem((*place, *where), words)

    def _taken(self, place: Place, step: Step, where: Place) -> Taken | None:
        inner = self._inside.get(str(place[-1]))
        asked = takes(inner.document, where) if inner else None
        return asked or taken_at(step.kind, where)

    def _misplaced(
        self, step: Step, taken: Taken | None, where: Place, reference: str
    ) -> str | None:
        if taken is None:
            there = ", ".join(TAKES[step.kind]) or "nowhere"
            return f"no reference may stand here; of kind {step.kind} it may at: {there}"
        port = self._find(reference)
        if not isinstance(port, Port):
            return port
        if not fits(port.type, taken):
            return f"{reference} is {words(port.type)}, and {words(taken)} is wanted"
        if port.many and not any(isinstance(part, int) for part in where):
            return f"{reference} may be several files: put the reference in a list"
        return None

    def _when(self, place: Place, step: Step) -> Iterator[Problem]:
        if step.when is None:
            return
        if step.when.of is None:
            if played_input(self._document) is None:
                yield Problem(place, "say of which file: `of: inputs.NAME`, or a step's output")
            return
        port = self._find(step.when.of)
        if isinstance(port, str):
            yield Problem((*place, "of"), port)
        elif port and (port.many or port.type not in PLAYED):
            what = "several files" if port.many else words(port.type)
            yield Problem((*place, "of"), f"{step.when.of} is {what}: name one film or sound")

    def _output(self, place: Place, reference: From) -> Iterator[Problem]:
        port = self._find(reference.from_)
        if reference.from_.partition(".")[0] in GIVEN:
            yield Problem(place, "an output is what a step gives: write STEP.OUTPUT")
        elif isinstance(port, str):
            yield Problem(place, port)
        elif port and not fits(port.type, "file"):
            yield Problem(place, f"{reference.from_} is {words(port.type)}, and no file")

    def _written_twice(self) -> Iterator[Problem]:
        taken: dict[str, str] = {}
        for name in published(self._document):
            step = self._document.steps[name]
            for field in STEPS[step.kind].WRITES:
                for path in places(step.fields, field):
                    place = within("", path)
                    if place in taken:
                        here = ("steps", name, *field.split("."))
                        yield Problem(here, f"step {taken[place]} writes {path}, too")
                    taken[place] = name


def _port(given: Input | TextInput) -> Port:
    return port_of_input(given.type, many=given.many)


def _stand_ins(reference: str, port: Port) -> Sequence[str]:
    if port.type in ("text", "language"):
        words = "en" if port.type == "language" else "words"
        return (words, words) if port.many else (words,)
    numbers = ("-1", "-2") if port.many else ("",)
    return tuple(f"/{reference}{number}{port.suffix}" for number in numbers)


def _addresses(place: Place, step: Step) -> Iterator[Problem]:
    """A file that a document names itself must be found from anywhere."""
    if step.kind == "batch" and isinstance(each := step.fields.get("job"), Mapping):
        kind = str(each.get("kind", DEFAULT_KIND))
        moved = with_files(each, kind, lambda uri: uri if _is_address(uri) else "/")
        if moved != dict(each):
            words = "it names a file: write its absolute path or a URI"
            yield Problem((*place, "job"), words)
    for path in TAKES[step.kind]:
        names = path.split(".")
        if taken_at(step.kind, names) in ("text", "language"):
            continue
        for uri in places(step.fields, path):
            if not _is_address(uri):
                yield Problem(
                    (*place, *names),
                    f"{uri!r} is no address: refer to an input or a step, such as "
                    "{from: inputs.video}, or write an absolute path or a URI",
                )


def _is_address(uri: str) -> bool:
    return uri.startswith(("/", "file:")) or "://" in uri


def _paths(place: Place, step: Step) -> Iterator[Problem]:
    for field in STEPS[step.kind].WRITES:
        for path in places(step.fields, field):
            if "://" in path or path.startswith("/") or ".." in path.split("/"):
                yield Problem(
                    (*place, *field.split(".")),
                    f"{path!r}: an output is a path in the pipeline's folder, such as film.mp4",
                )
            elif step.kind == "pipeline" and PurePosixPath(path) == PurePosixPath():
                yield Problem(
                    (*place, field),
                    f"{path!r}: a pipeline that is a step has a folder of its own, such as extras",
                )
