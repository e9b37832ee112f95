"""Jobs that stand in files, as people write them. Paths in them are relative to their folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longtake.cli import values
from longtake.documents import in_a_line, read_document
from longtake.errors import InvalidJob
from longtake.identity import with_files
from longtake.kinds import AnyJob, parse, to_json
from longtake.paths import local_path

A_JOB = "no job: it needs `kind`, such as transcode, and its fields"


def read_fields(path: Path, otherwise: str = A_JOB) -> dict[str, Any]:
    """What a YAML or JSON file says. Raises InvalidJob that names the file and the cause.

    `otherwise`: what a file is that says no fields.
    """
    import yaml  # late: most commands read no file

    try:
        document = read_document(path)  # JSON is YAML, too
    except OSError as error:
        raise InvalidJob(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidJob(f"{path} is not YAML: {in_a_line(error)}") from error
    if not isinstance(document, dict):
        raise InvalidJob(f"{path} is {otherwise}")
    return document


def read_job(path: Path) -> AnyJob:
    """The job of a file. Raises InvalidJob that names the file and the cause."""
    document = read_fields(path)
    try:
        return parse(from_file(path, parse(with_pipeline(path, document))))
    except InvalidJob as error:
        raise InvalidJob(f"{path}: {error.message}") from error


def with_pipeline(path: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A job's fields, also of a batch's items, with the pipeline that they name by its file.

    Raises InvalidJob.
    """
    document = dict(fields)
    if isinstance(name := document.get("pipeline"), str):
        _, document["pipeline"] = values.pipeline(name, path.parent)
    if isinstance(each := document.get("job"), Mapping):
        document["job"] = with_pipeline(path, each)
    return document


def from_file(path: Path, job: AnyJob) -> dict[str, object]:
    """A job's fields, with the places that they name taken from the file's folder."""
    return with_files(to_json(job), job.kind, lambda uri: beside(path, uri))


def beside(path: Path, uri: str) -> str:
    """A place that a file names, from that file's folder."""
    local = local_path(uri)
    return uri if local is None else os.path.abspath(path.parent / local)  # noqa: PTH100
