"""Durable media jobs on Temporal.

    from longtake import Longtake, Transcode

    async with Longtake.connect() as longtake:
        result = await longtake.run(Transcode(input="talk.mov", output="talk.mp4"))

Everything public stands here and is imported when it is first used: `import longtake` costs
nothing, and the contracts alone can be had without Temporal.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longtake.client import Longtake as Longtake
    from longtake.contracts import AudioOptions as AudioOptions
    from longtake.contracts import Batch as Batch
    from longtake.contracts import Command as Command
    from longtake.contracts import EncodePreset as EncodePreset
    from longtake.contracts import ItemResult as ItemResult
    from longtake.contracts import Job as Job
    from longtake.contracts import JobError as JobError
    from longtake.contracts import JobResult as JobResult
    from longtake.contracts import JobStatus as JobStatus
    from longtake.contracts import JobSummary as JobSummary
    from longtake.contracts import MediaFacts as MediaFacts
    from longtake.contracts import Normalize as Normalize
    from longtake.contracts import Output as Output
    from longtake.contracts import Package as Package
    from longtake.contracts import PackagePreset as PackagePreset
    from longtake.contracts import Pipeline as Pipeline
    from longtake.contracts import PipelineDocument as PipelineDocument
    from longtake.contracts import Preview as Preview
    from longtake.contracts import Progress as Progress
    from longtake.contracts import Stats as Stats
    from longtake.contracts import StepStatus as StepStatus
    from longtake.contracts import Stitch as Stitch
    from longtake.contracts import StitchPreset as StitchPreset
    from longtake.contracts import Timetable as Timetable
    from longtake.contracts import Transcode as Transcode
    from longtake.contracts import Transcribe as Transcribe
    from longtake.contracts import Transcript as Transcript
    from longtake.contracts import VideoOptions as VideoOptions
    from longtake.contracts import Webhook as Webhook
    from longtake.errors import CapabilityMissing as CapabilityMissing
    from longtake.errors import DeadlineExceeded as DeadlineExceeded
    from longtake.errors import InputCorrupt as InputCorrupt
    from longtake.errors import InputForbidden as InputForbidden
    from longtake.errors import InputNotFound as InputNotFound
    from longtake.errors import InputTooLarge as InputTooLarge
    from longtake.errors import InputUnsupported as InputUnsupported
    from longtake.errors import InvalidJob as InvalidJob
    from longtake.errors import ItemsFailed as ItemsFailed
    from longtake.errors import JobCanceled as JobCanceled
    from longtake.errors import JobNotFound as JobNotFound
    from longtake.errors import LongtakeError as LongtakeError
    from longtake.errors import OperatorError as OperatorError
    from longtake.errors import OutputConflict as OutputConflict
    from longtake.errors import Poisoned as Poisoned
    from longtake.errors import ServiceUnreachable as ServiceUnreachable
    from longtake.errors import TransientError as TransientError
    from longtake.errors import UserError as UserError
    from longtake.handle import JobHandle as JobHandle
    from longtake.sync import JobHandleSync as JobHandleSync
    from longtake.sync import LongtakeSync as LongtakeSync

_HOMES = {
    "longtake.client": ("Longtake",),
    "longtake.handle": ("JobHandle",),
    "longtake.sync": ("JobHandleSync", "LongtakeSync"),
    "longtake.contracts": (
        *("AudioOptions", "Command", "EncodePreset", "Job", "JobError", "JobResult", "JobStatus"),
        *("JobSummary", "MediaFacts", "Normalize", "Output", "Preview", "Progress", "Stats"),
        *("Batch", "ItemResult", "Package", "PackagePreset", "Stitch", "StitchPreset"),
        *("Pipeline", "PipelineDocument", "StepStatus"),
        *("Timetable", "Transcode", "Transcribe", "Transcript", "VideoOptions", "Webhook"),
    ),
    "longtake.errors": (
        *("CapabilityMissing", "DeadlineExceeded", "InputCorrupt", "InputForbidden"),
        *(
            "InputNotFound",
            "InputTooLarge",
            "InputUnsupported",
            "InvalidJob",
            "ItemsFailed",
            "JobCanceled",
        ),
        *("JobNotFound", "LongtakeError", "OperatorError", "OutputConflict", "Poisoned"),
        *("ServiceUnreachable", "TransientError", "UserError"),
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'longtake' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
