"""What a pipeline asks before its steps run, the notes of those that ran, and its documents."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pydantic import ValidationError
from temporalio import activity

from activities.admit import probe
from activities.assemble import lease_on
from activities.place import Place, called, place
from activities.running import Beat, implements
from longtake import identity
from longtake.content_type import Served
from longtake.contracts.base import Report
from longtake.contracts.job import Job
from longtake.contracts.pipeline import Checksums, Facts, Pipeline, PipelineReport, ProbeStep
from longtake.contracts.result import JobResult, Output, SourceRead, Stats
from longtake.contracts.steps.common import Nothing, Source
from longtake.contracts.steps.pipeline import (
    FIND_FACTS,
    LOOK_AT_STEP,
    NOTE_STEP,
    PREPARE_PIPELINE,
    WRITE_DOCUMENT,
    ApprovalNote,
    FactsAsked,
    PipelinePlan,
    StepAsked,
    StepDone,
    StepLooked,
    StepNote,
    WriteRequest,
)
from longtake.outputs import outputs_in_place
from longtake.paths import local_path, name_of, shown
from longtake.pipelines.check import played_input
from longtake.pipelines.conditions import facts_of
from longtake.pipelines.document import Prepared, document_of, prepare
from longtake.pipelines.ports import STEPS
from longtake.settings import Home
from media.probing.probe import probe as examine

UNCHANGED = "nothing changed since it was done"
MOST_WORDS = 300
_LONG_AGO = "1970-01-01T00:00:00+00:00"


@implements(PREPARE_PIPELINE, stage="probing")
async def prepare_pipeline(job: Pipeline, beat: Beat) -> PipelinePlan:
    """Read and check the document, pin the inputs, and find the facts that conditions ask for."""
    identity.must_be_id(activity.info().workflow_id or "")  # the steps' jobs are called by it
    here = place()
    prepared = prepare(job)
    sources = [
        await here.storage(uri).fingerprint(uri)
        for name, given in job.inputs.items()
        # A secret leaves no trace, and what a batch takes is no file.
        if prepared.document.inputs[name].type not in ("key", "files")
        for uri in _listed(given)
    ]
    facts = {}
    for name in sorted(_asked_about(prepared)):
        for source in (each for each in sources if each.uri in _listed(job.inputs.get(name))):
            facts[f"inputs.{name}"] = facts_of((await probe(here, source))[0])
    return PipelinePlan(
        prepared=prepared,
        sources=tuple(sources),
        facts=facts,
        kept=_kept(job),
    )


def _asked_about(prepared: Prepared) -> set[str]:
    """Inputs of which conditions want facts."""
    conditions = [step.when for step in prepared.document.steps.values() if step.when]
    asked = [when.of or f"inputs.{played_input(prepared.document)}" for when in conditions]
    return {of.removeprefix("inputs.") for of in asked if of.startswith("inputs.")}


@implements(FIND_FACTS, stage="probing")
async def find_facts(asked: FactsAsked, beat: Beat) -> Facts:
    """Facts of what a step made."""
    here = place()
    source = await here.storage(asked.uri).fingerprint(asked.uri)
    return facts_of((await probe(here, source))[0])


@implements(LOOK_AT_STEP, stage="planning")
async def look_at_step(asked: StepAsked, beat: Beat) -> StepLooked:
    """Whether a step was done before and would make the same again, or else may begin; make its
    folders if it does, and note who let it through."""
    here = place()
    note = await asyncio.to_thread(_read_note, here, asked)
    why = await _why(here, note, asked)
    if note is not None and why is None:
        await asyncio.to_thread(_used, here, asked, note.result)
        return StepLooked(why=UNCHANGED, before=note.result)
    if asked.gate is not None and not asked.gate.approved:
        return StepLooked(why="", approved=await asyncio.to_thread(_is_approved, here, asked))
    if asked.gate is not None:
        await asyncio.to_thread(_note_approval, here, asked)
    made = await asyncio.to_thread(_make_folders, here, asked)
    return StepLooked(why=(why or "")[:MOST_WORDS], folders=tuple(made))


@implements(NOTE_STEP, stage="publishing")
async def note_step(done: StepDone, beat: Beat) -> Nothing:
    """Note what a step read and made, for the next run."""
    note = StepNote(asked=done.asked, result=done.result, noted_at=datetime.now(UTC))
    await asyncio.to_thread(_keep, place(), done.asked, _note_name(done.asked.name), note)
    return Nothing()


def _note_name(step: str) -> str:
    return f"{step}.json"  # names of steps, as their folders are called, have no dots


def _is_approved(here: Place, asked: StepAsked) -> bool:
    if _job(asked).looks_anew:  # it may find what nobody has seen
        return False
    data = here.storage(asked.kept).folder(asked.kept).read(_approval_name(asked))
    with contextlib.suppress(ValidationError):  # of another version
        return data is not None and ApprovalNote.model_validate_json(data).of == _approved(asked)
    return False


def _note_approval(here: Place, asked: StepAsked) -> None:
    _keep(here, asked, _approval_name(asked), ApprovalNote(of=_approved(asked)))


def _approved(asked: StepAsked) -> str:
    """What an approval counts for: the step as it is, behind all that comes before it."""
    assert asked.gate is not None
    step = f"{identity.content_hash(_job(asked))} {asked.gate.before}"
    return hashlib.sha256(step.encode()).hexdigest()


def _approval_name(asked: StepAsked) -> str:
    return f"{asked.name}.approved.json"


def _read_note(here: Place, asked: StepAsked) -> StepNote | None:
    """The latest note of a step; or the record of its job, where a pipeline was ended before it
    had noted the step."""
    data = here.storage(asked.kept).folder(asked.kept).read(_note_name(asked.name))
    notes = [_from_index(here, asked)]
    with contextlib.suppress(ValidationError):  # of another version
        notes.append(StepNote.model_validate_json(data) if data else None)
    found = [note for note in notes if note is not None]
    return max(found, key=lambda note: note.noted_at, default=None)


def _from_index(here: Place, asked: StepAsked) -> StepNote | None:
    record = here.jobs.read(str(asked.job["id"]))
    if record is None or record.result is None or record.result.state != "succeeded":
        return None
    return StepNote(
        asked=StepAsked.model_validate({**asked.model_dump(), "job": record.job}),
        result=record.result,
        noted_at=datetime.fromisoformat(record.summary.closed_at or _LONG_AGO),
    )


def _used(here: Place, asked: StepAsked, result: JobResult) -> None:
    """`gc` sweeps what nobody used, and a later step may read what this one made; of a pipeline,
    what its own steps made, when some of it changed."""
    for note in _notes_within(here, asked):
        _used(here, note.asked, note.result)
    kept = (output.uri for output in result.outputs if output.uri.startswith(f"{asked.kept}/"))
    names = [uri.removeprefix(f"{asked.kept}/") for uri in kept]
    notes = (_note_name(asked.name), _approval_name(asked))
    here.storage(asked.kept).folder(asked.kept).used((*notes, *names))


def _notes_within(here: Place, asked: StepAsked) -> Iterator[StepNote]:
    """The notes of its own steps, where a step is a pipeline."""
    job = _job(asked)
    if not isinstance(job, Pipeline):
        return
    kept = _kept(job)
    folder = here.storage(kept).folder(kept)
    for name in document_of(job).steps:
        data = folder.read(_note_name(name))
        with contextlib.suppress(ValidationError):  # of another version
            if data is not None:
                yield StepNote.model_validate_json(data)


def _keep(here: Place, asked: StepAsked, name: str, note: Report) -> None:
    _make_folder(here, asked.kept)
    data = note.model_dump_json().encode()
    folder = here.storage(asked.kept).folder(asked.kept)
    folder.discard({name: len(data)}, name)  # of attempts that were killed
    folder.restore(name, data, name, Served("application/json", "no-store"))


async def _why(here: Place, note: StepNote | None, asked: StepAsked) -> str | None:
    """Why a step must run; None if it need not."""
    if note is None:
        return "it was not done before"
    if _job(asked).looks_anew:
        return "a batch looks each time what is new"
    return (
        _other_settings(note.asked, asked)
        or _other_steps(note.asked.made, asked.made)
        or await _other_sources(here, note.result, asked)
        or await _other_outputs(here, note)
    )


def _other_settings(earlier: StepAsked, asked: StepAsked) -> str | None:
    try:
        there, now = _job(earlier), _job(asked)
    except (ValidationError, KeyError):
        return "it was done by another version of Longtake"
    if there.kind != now.kind:  # type: ignore[attr-defined]
        return f"it was a {there.kind} before"  # type: ignore[attr-defined]
    if identity.content_hash(there) == identity.content_hash(now):
        return None
    return f"its settings changed: {identity.differences(there, now)}"


def _job(asked: StepAsked) -> Job:
    """A step's job, but for what shapes no output."""
    contract = STEPS[str(asked.job["kind"])]
    shaping = {name: value for name, value in asked.job.items() if name != "overwrite"}
    return contract.model_validate(shaping)


def _other_steps(earlier: dict[str, str], made: dict[str, str]) -> str | None:
    changed = sorted(
        name for name in earlier.keys() | made.keys() if earlier.get(name) != made.get(name)
    )
    return f"{', '.join(changed)} changed" if changed else None


async def _other_sources(here: Place, before: JobResult, asked: StepAsked) -> str | None:
    read: dict[str, list[SourceRead]] = {}
    for each in before.sources:
        read.setdefault(each.uri, []).append(each)
    for uri in identity.read_by(_job(asked)):
        known = read.get(shown(uri), [])
        if known and not await _is_known(here, uri, known):
            return f"{name_of(uri)} changed"
    return None


async def _is_known(here: Place, uri: str, known: list[SourceRead]) -> bool:
    """Whether a source is of one of these versions, or at least of the same bytes."""
    storage = here.storage(uri)
    for each in known:
        if await storage.is_unchanged(uri, each.version):
            return True
    found = await storage.fingerprint(uri)
    return found.sha256 in {each.sha256 for each in known}


async def _other_outputs(here: Place, note: StepNote) -> str | None:
    for output in note.result.outputs:
        alone = note.result.model_copy(update={"outputs": (output,)})
        if local_path(output.uri) is not None:
            holds = await asyncio.to_thread(outputs_in_place, alone, note.noted_at, here=True)
        else:
            storage = here.storage(output.uri)
            holds = await storage.holds(output.uri, output.sha256, output.bytes)
        if not holds:
            return f"{name_of(output.uri)} is not there any more as it was made"
    return None


def _make_folders(here: Place, asked: StepAsked) -> list[str]:
    """The folders in which a step's outputs lie; returns those that were not there."""
    job = STEPS[str(asked.job["kind"])].model_validate(asked.job)
    wanted = {asked.folder: None}  # each once, in order
    for target in job.targets:
        folder = target if job.writes_folder else target.rpartition("/")[0]
        wanted |= dict.fromkeys(_between(asked.folder.rstrip("/"), folder))
    missing = [each for each in wanted if not here.storage(each).folder(each).is_there()]
    for each in missing:
        _make_folder(here, each)
    return missing


def _make_folder(here: Place, folder: str) -> None:
    """A folder, and in the work store those that it lies in."""
    root = Home.from_environment().pipelines
    if local_path(root) is not None and folder.startswith(f"{root}/"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    here.storage(folder).make_folder(folder)


def _between(root: str, folder: str) -> Iterator[str]:
    """`root` and every folder below it on the way to `folder`."""
    yield root
    for part in filter(None, folder.removeprefix(root).split("/")):
        root = f"{root}/{part}"
        yield root


@implements(WRITE_DOCUMENT, stage="publishing")
async def write_document(request: WriteRequest, beat: Beat) -> JobResult:
    """Write the facts of a file, a list of checksums, or a report."""
    here, job = place(), request.job
    sources: list[Source] = []
    match job:
        case ProbeStep():
            source = await here.storage(job.input).fingerprint(job.input)
            path = await here.storage(job.input).localize(source)
            with called(job.input, path):
                found = await examine(path, name_of(job.input))
            sources, text = [source], found.model_dump_json(indent=2) + "\n"
        case Checksums():
            sources = [await here.storage(uri).fingerprint(uri) for uri in job.files]
            text = "".join(_line(source, job.output) for source in sources)
        case PipelineReport():
            text = _report(request)
    output = await _publish(here, request, text.encode())
    return JobResult(
        job_id=request.job_id,
        state="succeeded",
        outputs=(output,),
        sources=tuple(
            SourceRead(uri=shown(s.uri), bytes=s.bytes, sha256=s.sha256, version=s.version)
            for s in sources
        ),
        stats=Stats(
            bytes_read=sum(source.bytes for source in sources),
            bytes_written=output.bytes,
            retries=activity.info().attempt - 1,
        ),
    )


def _line(source: Source, beside: str) -> str:
    """A line as sha256sum writes it; files below the list's folder are named from there."""
    folder = beside.rpartition("/")[0]
    name = shown(source.uri)
    if name.startswith(f"{folder}/"):
        name = str(PurePosixPath(name).relative_to(folder))
    if "\\" in name:
        return "\\{}  {}\n".format(source.sha256, name.replace("\\", "\\\\"))
    return f"{source.sha256}  {name}\n"


def _report(request: WriteRequest) -> str:
    steps = [
        {
            **told.status.model_dump(mode="json", exclude={"fraction", "job_id"}),
            "job_id": told.status.job_id,
            "stats": told.stats.model_dump(mode="json"),
        }
        for told in request.told
    ]
    return json.dumps({"steps": steps}, indent=2, ensure_ascii=False) + "\n"


async def _publish(here: Place, request: WriteRequest, data: bytes) -> Output:
    uri = request.job.output
    lease = await lease_on(here, uri)
    storage = here.storage(uri)
    sha256 = hashlib.sha256(data).hexdigest()
    # In the making it is the pipeline's, whose last step removes what killed attempts left.
    pipeline = activity.info().workflow_id or request.job_id
    with storage.staging(uri, pipeline) as staged:
        await asyncio.to_thread(staged.write_bytes, data)
        await storage.upload(staged, uri, sha256, pipeline)
        await asyncio.to_thread(
            lease.publish,
            lambda: storage.publish(
                staged, uri, sha256, overwrite=request.overwrite, check=lease.check
            ),
        )
    return Output(uri=uri, role="main", bytes=len(data), sha256=sha256)


def _listed(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _kept(job: Pipeline) -> str:
    """Where a pipeline's notes lie, and what only its steps read."""
    whose = f"{job.tenant} {job.output.rstrip('/')}"
    digest = hashlib.sha256(whose.encode()).hexdigest()[:32]
    return f"{Home.from_environment().pipelines}/{digest}"
