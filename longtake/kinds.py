"""The kinds of jobs there are. A new kind is added here, and in `AnyJob`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import ValidationError

from longtake.contracts.base import Contract
from longtake.contracts.batch import Batch
from longtake.contracts.command import Command
from longtake.contracts.normalize import Normalize
from longtake.contracts.package import Package
from longtake.contracts.pipeline import Pipeline
from longtake.contracts.preview import Preview
from longtake.contracts.stitch import Stitch
from longtake.contracts.transcode import Transcode
from longtake.contracts.transcribe import Transcribe
from longtake.errors import InvalidJob
from longtake.presets import describe

AnyJob: TypeAlias = (
    Transcode | Preview | Command | Normalize | Stitch | Package | Transcribe | Batch | Pipeline
)

KINDS: dict[str, type[AnyJob]] = {
    "transcode": Transcode,
    "preview": Preview,
    "command": Command,
    "normalize": Normalize,
    "stitch": Stitch,
    "package": Package,
    "transcribe": Transcribe,
    "batch": Batch,
    "pipeline": Pipeline,
}
"""Contract by the value of its `kind`. The class's name is the workflow's type name."""

DEFAULT_KIND = "transcode"


def parse(document: Mapping[str, object]) -> AnyJob:
    """A job from JSON. Raises InvalidJob that names the field and what would be valid."""
    kind = str(document.get("kind", DEFAULT_KIND))
    if kind not in KINDS:
        raise InvalidJob(f"there is no job of kind {kind!r}; use one of: {', '.join(KINDS)}")
    try:
        return KINDS[kind].model_validate(document)
    except ValidationError as error:
        raise InvalidJob(describe(error)) from error


def to_json(job: Contract) -> dict[str, object]:
    """A job as JSON, without what was left open."""
    document: dict[str, object] = job.model_dump(mode="json", exclude_none=True)
    return document
