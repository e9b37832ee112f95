"""What can be told of a job before anything is started: a bad request should cost nothing.

`check` is for a service on this host alone, which sees the same files.
"""

from __future__ import annotations

import importlib.util
import os

from longtake import arguments, batches, identity, presets
from longtake.contracts.batch import Batch
from longtake.contracts.command import Command
from longtake.contracts.job import Job
from longtake.contracts.package import Package
from longtake.contracts.pipeline import Pipeline
from longtake.contracts.stitch import Stitch
from longtake.contracts.transcode import Transcode
from longtake.contracts.transcribe import Transcribe
from longtake.errors import (
    CapabilityMissing,
    InputForbidden,
    InputNotFound,
    InvalidJob,
    OutputConflict,
)
from longtake.kinds import AnyJob
from longtake.packages import resolve_package
from longtake.paths import local_path, scheme_of, shown
from longtake.stitching import resolve_stitch


def check(job: AnyJob) -> None:
    """Raises InvalidJob, InputNotFound, InputForbidden, OutputConflict or
    CapabilityMissing."""
    check_settings(job)
    if _hears(job):
        _check_speech()
    patterns = _patterns(job)
    for uri in identity.read_by(job):
        if uri not in patterns:
            check_input(uri)
    for target in job.targets:
        _check_output(target, folder=job.writes_folder)


def _patterns(job: AnyJob) -> tuple[str, ...]:
    """What is no file but may stand for many: a batch looks for itself."""
    if isinstance(job, Batch):
        return job.sources
    if not isinstance(job, Pipeline):
        return ()
    from longtake.pipelines.document import document_of  # which needs this module

    asked = document_of(job).inputs
    return tuple(
        uri
        for name, given in job.inputs.items()
        if asked[name].type == "files"
        for uri in ((given,) if isinstance(given, str) else given)
    )


def check_settings(job: Job) -> None:
    """Raises InvalidJob for what no file can satisfy: an unknown preset, a contradiction."""
    if isinstance(job, Transcode):
        presets.resolve(job)
    if isinstance(job, Stitch):
        resolve_stitch(job)
    if isinstance(job, Package):
        resolve_package(job)
    if isinstance(job, Command):
        arguments.check(job.arguments)
    if isinstance(job, Pipeline):
        _prepare(job)
    if isinstance(job, Batch):
        each = batches.sample(job)
        if isinstance(each, Pipeline) and job.input.lower().endswith(batches.LISTS):
            _prepare(each, complete=False)  # the list may give the rest
        else:
            check_settings(each)


def _prepare(job: Pipeline, *, complete: bool = True) -> None:
    from longtake.pipelines.document import prepare  # which needs this module

    prepare(job, complete=complete)


def _hears(job: Job) -> bool:
    """Whether a job, or a step or an item of it, turns speech to text."""
    if isinstance(job, Batch):
        return _hears(batches.sample(job))
    if isinstance(job, Pipeline):
        from longtake.pipelines.check import look  # which needs this module
        from longtake.pipelines.document import document_of

        return any(map(_hears, look(document_of(job)).jobs.values()))
    return isinstance(job, Transcribe) or (isinstance(job, Package) and job.speech is not None)


def _check_speech() -> None:
    """Raises CapabilityMissing: the embedded service has what is installed here."""
    if importlib.util.find_spec("faster_whisper") is None:
        raise CapabilityMissing(
            "speech to text is not installed here: pip install 'longtake[speech]', then "
            "`longtake down`, so that the service begins with it"
        )


def check_input(uri: str) -> None:
    """Can a local input be read? Raises InputNotFound, InputForbidden or InvalidJob."""
    path = local_path(uri)
    if path is None:
        return
    try:
        exists = path.exists()
    except PermissionError:
        exists = True  # somewhere below a folder that may not be entered
    if not exists:
        raise InputNotFound(f"there is no file {path}; check the path")
    if path.is_dir():
        raise InvalidJob(f"{path} is a folder; name a media file")
    if not os.access(path, os.R_OK):
        raise InputForbidden(f"{path} may not be read; check its permissions")


def _check_output(uri: str, *, folder: bool) -> None:
    """Whether the output exists is not asked: the job may be the one that made it."""
    if scheme_of(uri) in ("http", "https"):
        raise InvalidJob(f"{shown(uri)}: links are only read; write to a path or to s3://")
    path = local_path(uri)
    if path is None:
        return
    if folder and path.exists() and not path.is_dir():
        raise OutputConflict(f"{path} is a file; name a folder")
    if not folder and path.is_dir():
        raise OutputConflict(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputConflict(f"there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputConflict(f"{path.parent} may not be written; check its permissions")
