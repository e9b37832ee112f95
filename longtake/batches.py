"""Batches: what job is made of an item, and the names of outputs."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from longtake.contracts.batch import Batch, BatchItem, ItemResult
from longtake.contracts.pipeline import Pipeline
from longtake.contracts.result import JobError, JobResult
from longtake.errors import InvalidJob
from longtake.kinds import DEFAULT_KIND, KINDS, AnyJob, parse
from longtake.paths import local_path, shown

ITS_OWN = {
    *("id", "tenant", "priority", "labels", "deadline", "group", "notify", "input", "output"),
}
"""What an item's job has from its batch."""

LISTS = (".csv", ".jsonl", ".txt")
"""Files that are no items themselves, but name some."""

_CONTROL = re.compile(r"[\x00-\x1f]")
_ANY = {"normalize": ".mkv", "command": ".mkv"}
"""A container that holds whatever the items' own may hold."""


@dataclass(frozen=True)
class Entry:
    """A file that a batch was given."""

    input: str
    name: str
    """Path below the folder that the pattern begins with; for a list, the file's name."""
    output: str | None = None
    """Where the list says so."""
    options: Mapping[str, object] | None = None
    where: str = ""
    """Place in the list, such as `films.csv:7`."""
    problem: str | None = None
    """Why it cannot be read."""


def sample(batch: Batch) -> AnyJob:
    """The job of an item like any other, to look whether it can be done.

    Raises InvalidJob if it is none that can be done for one file.
    """
    kind = kind_of(batch)
    for name in sorted(ITS_OWN & set(batch.job)):
        raise InvalidJob(f"job.{name}: an item has it from its batch: leave it out")
    if batch.gpu != "never":
        raise InvalidJob("gpu: a batch computes nothing itself: say it in its job, as job.gpu")
    if (kind == "pipeline") != (batch.pipeline_input is not None):
        raise InvalidJob(
            "pipeline_input: the name of the input that each file is stands beside a job of kind "
            "pipeline, and beside no other"
        )
    suffix = "" if KINDS[kind].WRITES_FOLDER else batch.suffix or _ANY.get(kind, ".mp4")
    output = f"{batch.output.rstrip('/')}/sample{suffix}"
    return item_job(batch, BatchItem(number=0, input="/sample", output=output))


def kind_of(batch: Batch) -> str:
    """The kind of the items' jobs. Raises InvalidJob for one that takes several files, or none."""
    kind = str(batch.job.get("kind", DEFAULT_KIND))
    contract = KINDS.get(kind)
    if contract is None or not _takes_one_file(contract):
        known = [name for name, each in KINDS.items() if _takes_one_file(each)]
        raise InvalidJob(f"job.kind {kind!r} cannot be done for each file; use {', '.join(known)}")
    return kind


def items_of(batch: Batch, entries: Sequence[Entry]) -> tuple[BatchItem, ...]:
    """The entries as items, each with an output of its own.

    The same entry twice is one item. Raises InvalidJob where a list gives one output to two
    inputs.
    """
    sample(batch)
    entries = list({_identity(entry): entry for entry in reversed(entries)}.values())[::-1]
    entries = [_tellable(entry) for entry in entries]
    named = zip(entries, outputs(batch, entries), strict=True)
    items = (
        BatchItem(
            number=number,
            input=entry.input,
            output=output,
            options=dict(entry.options or {}),
            problem=entry.problem,
        )
        for number, (entry, output) in enumerate(named)
    )
    return tuple(
        item.model_copy(update={"problem": item.problem or _problem(batch, item)}) for item in items
    )


def _tellable(entry: Entry) -> Entry:
    """The entry; or, where no job can carry its name, one that can be told of."""
    uri, name, output = entry.input, entry.name, entry.output
    if ".." in PurePosixPath(name).parts:  # a bucket may have such keys
        words = "its name leads out of the output's folder: rename it"
        return replace(entry, name=name.replace("..", "%2E%2E"), problem=words)
    told = (_escaped(uri), _escaped(name), output and _escaped(output))
    if told == (uri, name, output):
        return entry
    words = "its name, or its output's, has characters that no job can carry: rename it"
    return replace(entry, input=told[0], name=told[1], output=told[2], problem=words)


def _escaped(name: str) -> str:
    """Without control characters, and without bytes that are no UTF-8."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def item_job(batch: Batch, item: BatchItem) -> AnyJob:
    """The job of an item. Raises InvalidJob."""
    asked = merged(batch.job, item.options)
    return parse(
        {
            **asked,
            **_read(batch, item, asked),
            "kind": kind_of(batch),
            "output": item.output,
            "tenant": batch.tenant,
            "priority": batch.priority,
            "labels": batch.labels,
            "group": batch.group,
        }
    )


def _read(batch: Batch, item: BatchItem, asked: Mapping[str, object]) -> dict[str, object]:
    """The field that names the item's file; a pipeline may read others beside it."""
    name = batch.pipeline_input
    if name is None:
        return {"input": item.input}
    beside = asked.get("inputs", {})
    if not isinstance(beside, Mapping):
        raise InvalidJob("inputs: an object of files by name is wanted")
    if name in beside:
        raise InvalidJob(f"inputs.{name} is each file of the batch: leave it out")
    return {"inputs": {**beside, name: item.input}}


def merged(base: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Options of one's own over others, also inside of objects."""
    both = {**base, **own}
    for name in base.keys() & own.keys():
        theirs, mine = base[name], own[name]
        if isinstance(theirs, Mapping) and isinstance(mine, Mapping):
            both[name] = merged(theirs, mine)
    return both


def succeeded(item: BatchItem, job_id: str, result: JobResult, *, ran: bool) -> ItemResult:
    """The line of an item that is done."""
    only = result.outputs[0] if len(result.outputs) == 1 else None
    return ItemResult(
        number=item.number,
        job_id=job_id,
        input=shown(item.input),
        output=item.output,
        state="succeeded",
        ran=ran,
        sha256=only.sha256 if only else None,
        bytes=sum(output.bytes for output in result.outputs),
        wall_s=result.stats.wall_s if ran else None,
    )


def failed(item: BatchItem, job_id: str, error: JobError, *, ran: bool) -> ItemResult:
    """The line of an item that is not done, and will not be in this run."""
    return ItemResult(
        number=item.number,
        job_id=job_id,
        input=shown(item.input),
        output=item.output,
        state="canceled" if error.type == "JobCanceled" else "failed",
        ran=ran,
        error=error,
    )


def left(item: BatchItem, job_id: str) -> ItemResult:
    """The line of an item that is not to run."""
    return ItemResult(
        number=item.number,
        job_id=job_id,
        input=shown(item.input),
        output=item.output,
        state="left",
        ran=False,
    )


def report_uri(batch: Batch, job_id: str) -> str:
    """Where a batch's report lies."""
    return f"{batch.output.rstrip('/')}/{job_id}.jsonl"


def outputs(batch: Batch, entries: Sequence[Entry]) -> list[str]:
    """An output for each entry, no two the same, in whatever order the entries come.

    `clips/talk.mov` becomes `clips/talk.mp4`. Where two would share a name, or one lie in the
    other's folder, both keep their suffix: `clips/talk.mov.mp4`. Where that does not tell them
    apart either, a hash of the input's address does: `talk-0c1d2e3f4a.mp4`. Raises InvalidJob
    where a list gives one output to two inputs.
    """
    given = [_given(batch, entry) for entry in entries]
    _check_given(entries, given)
    effort = [0] * len(entries)
    while True:
        made = [
            output or f"{batch.output.rstrip('/')}/{_name(batch, entry, tried)}"
            for entry, output, tried in zip(entries, given, effort, strict=True)
        ]
        clashing = [n for n in _clashing(made) if not given[n] and effort[n] < 2]
        if not clashing:
            return made
        for n in clashing:
            effort[n] += 1


def _given(batch: Batch, entry: Entry) -> str | None:
    if entry.output is None:
        return None
    path = local_path(entry.output)
    if path is None:
        return entry.output
    if path.is_absolute():
        return os.path.normpath(path)
    if ".." in path.parts or not path.name:
        raise InvalidJob(
            f"{entry.where}: output {entry.output!r} names nothing in the batch's folder; to write "
            "elsewhere, name an address of its own"
        )
    return f"{batch.output.rstrip('/')}/{path}"


def _check_given(entries: Sequence[Entry], given: Sequence[str | None]) -> None:
    first: dict[str, Entry] = {}
    for entry, output in zip(entries, given, strict=True):
        if output is None:
            continue
        other = first.setdefault(_same(output), entry)
        if other is not entry:
            raise InvalidJob(
                f"{other.where} and {entry.where} have one output, {output}: name another one"
            )


def _clashing(made: Sequence[str]) -> Iterator[int]:
    """Numbers of the outputs that are there twice, or that another one lies in."""
    plain = [_same(output) for output in made]
    counts = Counter(plain)
    folders = {folder for output in plain for folder in _folders(output)}
    return (n for n, output in enumerate(plain) if counts[output] > 1 or output in folders)


def _folders(output: str) -> Iterator[str]:
    while (output := output.rpartition("/")[0]).strip("/"):
        yield output


def _same(output: str) -> str:
    # On some file systems Talk.mp4 is talk.mp4, and an e with its accent behind it one letter.
    return unicodedata.normalize("NFC", output.casefold()).rstrip("/")


def _name(batch: Batch, entry: Entry, tried: int) -> str:
    path = PurePosixPath(entry.name)
    suffix = _suffix(batch, path)
    if tried == 0:
        return str(path.with_name(f"{path.stem}{suffix}"))
    if tried == 1:
        return str(path.with_name(f"{path.name}{suffix}"))
    told = hashlib.sha256(_identity(entry).encode()).hexdigest()[:10]
    return str(path.with_name(f"{path.stem}-{told}{suffix}"))


def _suffix(batch: Batch, path: PurePosixPath) -> str:
    kind = kind_of(batch)
    if KINDS[kind].WRITES_FOLDER:
        return ""
    if batch.suffix is not None:
        return batch.suffix
    return ".mp4" if kind == "transcode" else path.suffix


def _identity(entry: Entry) -> str:
    return f"{entry.input} {entry.output or ''} {sorted((entry.options or {}).items())}"


def _takes_one_file(contract: type[AnyJob]) -> bool:
    one = "input" in contract.READS and contract.WRITES == ("output",)
    return (one and contract is not Batch) or contract is Pipeline


def _problem(batch: Batch, item: BatchItem) -> str | None:
    try:
        item_job(batch, item)
    except InvalidJob as error:
        return error.message
    return None
