"""Which rule takes an object, and which job it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from longtake.contracts.containers import CONTAINERS
from longtake.contracts.ingest import Bytes, Ingest, IngestRule
from longtake.errors import InvalidJob
from longtake.ingest.events import Arrived
from longtake.kinds import DEFAULT_KIND, KINDS, AnyJob, parse
from longtake.preflight import check_settings

_ITS_OWN = ("id", "input", "output")
"""What a rule's job has from the object."""
_MEDIA = {
    *(suffix for held in CONTAINERS.values() for suffix in held.suffixes),
    *(".ts", ".m2ts", ".mpg", ".mpeg", ".avi", ".flv", ".mka", ".aac"),
}

_UNKNOWN = ".media"
"""Stands in an output's name for the suffix that its object does not have."""


def check(rules: Ingest) -> None:
    """Raises InvalidJob for a rule that could start nothing."""
    for rule in rules.rules:
        for name in _ITS_OWN:
            if name in rule.job:
                raise InvalidJob(
                    f"rule {rule.name}: job.{name} comes from the object: leave it out"
                )
        if "deadline" in rule.job:
            raise InvalidJob(
                f"rule {rule.name}: job.deadline is one moment, and jobs after it would all fail: "
                "leave it out"
            )
        try:
            check_settings(job_for(rule, Arrived(f"{_folder(rule.under)}example.mp4")))
        except InvalidJob as error:
            raise InvalidJob(f"rule {rule.name}: {error.message}") from error


def rule_for(rules: Ingest, arrived: Arrived) -> IngestRule | None:
    """The first rule that takes an object."""
    return next((rule for rule in rules.rules if _takes(rule, arrived)), None)


def job_for(rule: IngestRule, arrived: Arrived) -> AnyJob:
    """The job of an object. Its output takes an older one's place, as the object did.

    Raises InvalidJob.
    """
    kind = str(rule.job.get("kind", DEFAULT_KIND))
    if kind not in KINDS:
        raise InvalidJob(f"there is no job of kind {kind!r}; use one of: {', '.join(KINDS)}")
    given: dict[str, object]
    fields = KINDS[kind].model_fields
    if "inputs" in fields:
        if rule.input is None:
            raise InvalidJob("`input` says which of the pipeline's inputs the object is")
        others = rule.job.get("inputs", {})
        if not isinstance(others, Mapping) or rule.input in others:
            raise InvalidJob(f"job.inputs: files by name, and {rule.input} is the object: leave it")
        given = {"inputs": {**others, rule.input: arrived.uri}}
    else:
        given = {"input": arrived.uri}
    below = arrived.uri.removeprefix(_folder(rule.under))
    if ".." in PurePosixPath(below).parts:
        raise InvalidJob(f"{below}: its name leads out of the output's folder: rename it")
    name = _name(rule, kind, below)
    output = f"{_folder(rule.output)}{name}"
    replaces = {"overwrite": True} if "overwrite" in fields else {}
    return parse({**replaces, **rule.job, "kind": kind, **given, "output": output})


def _takes(rule: IngestRule, arrived: Arrived) -> bool:
    name = arrived.uri.lower()
    under, output = _folder(rule.under), _folder(rule.output)
    if output.startswith(under) and output != under and arrived.uri.startswith(output):
        return False  # what the rule's own jobs made: each would start another one, for ever
    return (
        arrived.uri.startswith(under)
        and (not rule.suffixes or name.endswith(tuple(each.lower() for each in rule.suffixes)))
        and not name.endswith("/")  # a folder, as consoles make them
        and (rule.bytes is None or _within(rule.bytes, arrived.bytes))
    )


def _within(bounds: Bytes, size: int | None) -> bool:
    """An object whose size is not told is in no bounds."""
    if size is None:
        return False
    least, most = bounds.at_least, bounds.at_most
    return (least is None or size >= least) and (most is None or size <= most)


def _name(rule: IngestRule, kind: str, below: str) -> str:
    """`clips/talk.mov` keeps its suffix, `clips/talk.mov.mp4`: talk.mp4 beside it has a name of
    its own, whichever comes first; and so have an object that is called talk.mov.mp4, and one
    that is called talk, `clips/talk.media.mp4`."""
    suffix = rule.suffix or (".mp4" if kind == "transcode" else None)
    if KINDS[kind].WRITES_FOLDER or suffix is None:
        return below
    path = PurePosixPath(below)
    known = {*_MEDIA, suffix, *map(str.lower, rule.suffixes)}
    if path.suffix == suffix and PurePosixPath(path.stem).suffix.lower() not in {*known, _UNKNOWN}:
        return below
    return f"{below}{suffix}" if path.suffix.lower() in known else f"{below}{_UNKNOWN}{suffix}"


def _folder(place: str) -> str:
    return place if place.endswith("/") else f"{place}/"
