"""Who a job is: the same content is the same job, however often it is started.

The content is everything that shapes the output; who asks, how urgently and until when is not
part of it. The id adds the source's version, so that a changed file is another job.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from longtake.contracts.batch import Batch
from longtake.contracts.command import Command
from longtake.contracts.job import Job, JobId
from longtake.contracts.pipeline import Pipeline
from longtake.contracts.stitch import Stitch
from longtake.contracts.transcode import Transcode
from longtake.errors import InvalidJob
from longtake.kinds import DEFAULT_KIND, KINDS, AnyJob, parse, to_json
from longtake.paths import absolute, name_of, shown, version_of
from longtake.places import moved
from longtake.presets import found

_NOT_CONTENT = {
    *("id", "tenant", "priority", "labels", "stage_labels", "notify", "deadline", "group"),
    *("max_parallel", "retry_failed"),
}
_BESIDE = tuple(
    f"{options}{field}"
    for options in ("", "preset.")
    for field in ("video.watermark.image", "video.captions.file")
)
"""Files that an encode names among its options."""
_ID: TypeAdapter[str] = TypeAdapter(JobId)
_SLUG_LENGTH = 40


def must_be_id(job_id: str) -> None:
    """Look at an id that was chosen without Longtake. Raises InvalidJob for one that files and jobs
    cannot be called by."""
    try:
        _ID.validate_python(job_id)
    except ValidationError as error:
        raise InvalidJob(f"the id {found(error)[0][1]}") from error


def located(job: AnyJob) -> AnyJob:
    """The job with absolute paths: workers run in other folders. Raises InvalidJob."""
    return parse(with_files(to_json(job), job.kind, absolute))


def with_files(
    fields: Mapping[str, Any], kind: str, move: Callable[[str], str]
) -> dict[str, object]:
    """Fields of a job with each file that they name moved, also those of a batch's items."""
    contract = KINDS.get(kind)
    document = dict(fields)
    for path in (*contract.READS, *contract.WRITES, *_BESIDE) if contract else ():
        document = moved(document, path, move)
    if contract is Batch and isinstance(each := document.get("job"), Mapping):
        document["job"] = with_files(each, str(each.get("kind", DEFAULT_KIND)), move)
    return document


def content_hash(job: Job) -> str:
    """SHA-256 of the job's content: two jobs of one id must agree in it."""
    return _sha256(_content(job))


def differences(earlier: Job, job: Job) -> str:
    """What two jobs of one id do not agree in: `video.crf (there 23, here 40)`."""
    there, here = (dict(_leaves(_content(one))) for one in (earlier, job))
    names = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
    return ", ".join(
        f"{name} (there {there.get(name, 'not set')}, here {here.get(name, 'not set')})"
        for name in names
    )


def _content(job: Job) -> dict[str, object]:
    return {key: value for key, value in to_json(job).items() if key not in _NOT_CONTENT}


def _leaves(document: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def job_id(job: AnyJob) -> str:
    """The id the job has, or else one from its content, its tenant and its source's version."""
    if job.id is not None:
        return job.id
    identity: dict[str, object] = {
        "content": content_hash(job),
        "tenant": job.tenant,  # tenants never share a job, only the finished chunks in it
        "source": source_version(job),
    }
    if isinstance(job, Transcode) and job.beside:
        identity["beside"] = [version_of(uri) for uri in job.beside]
    return f"{job.kind}-{_slug(job.targets[0])}-{_sha256(identity)[:12]}"


def item_id(job: AnyJob) -> str:
    """The id of a batch's item: whatever lies at its input, so that a batch that runs again knows
    what came of it before."""
    identity: dict[str, object] = {"content": content_hash(job), "tenant": job.tenant}
    return f"{job.kind}-{_slug(job.targets[0])}-{_sha256(identity)[:16]}"


def read_by(job: Job) -> tuple[str, ...]:
    """All that a job reads, also what lies beside its source."""
    return (*job.sources, *(job.beside if isinstance(job, Transcode) else ()))


def source_version(job: AnyJob) -> str | None:
    """The version of all that the job reads; None if some of it is not seen here."""
    versions = [version_of(source) for source in job.sources]
    known = [version for version in versions if version]
    return " ".join(known) if len(known) == len(versions) else None


def preset_name(job: AnyJob) -> str | None:
    """What to call the job's preset; None for a kind that has none."""
    return job.preset_name if isinstance(job, Transcode | Stitch | Pipeline) else None


def summary(job: AnyJob) -> str:
    """The job in one line: `transcode talk.mov → talk.mp4, web-720p`."""
    read, written = (", ".join(map(name_of, uris)) for uris in (job.sources, job.targets))
    return ", ".join(filter(None, (f"{job.kind} {read} → {written}", preset_name(job))))


def without_documents(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job, also that of a batch's items, with `inline` where a pipeline's document stands."""
    brief = dict(job)
    if isinstance(brief.get("pipeline"), Mapping):
        brief["pipeline"] = "inline"
    if isinstance(each := brief.get("job"), Mapping):
        brief["job"] = without_documents(each)
    return brief


def details(job: AnyJob) -> str:
    """The job in a few lines of Markdown, as the Temporal UI shows them."""
    lines = [f"from `{shown(uri)}`" for uri in job.sources] + [f"to `{uri}`" for uri in job.targets]
    if isinstance(job, Transcode):
        lines += _settings(job)
    if isinstance(job, Batch):
        each = without_documents(job.job)
        lines.append(f"each: `{json.dumps(each, ensure_ascii=False)}`")
    if isinstance(job, Command):
        lines.append(f"arguments `{shlex.join(job.arguments)}`")
    lines += [f"{key}: {value}" for key, value in job.labels.items()]
    return "\n".join(f"- {line}" for line in lines)


def _settings(job: Transcode) -> list[str]:
    lines = [f"preset {preset_name(job)}"]
    if job.start is not None or job.end is not None:
        until = "the end" if job.end is None else f"{float(job.end):g} s"
        lines.append(f"from {float(job.start or 0):g} s to {until}")
    return lines


def _slug(output: str) -> str:
    stem = PurePosixPath(name_of(output)).stem.lower()
    slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:_SLUG_LENGTH].rstrip("-")
    return slug or "file"


def _sha256(document: dict[str, object]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
