"""Contracts: the models that go in and come out, the same in Python, JSON and YAML."""

from longtake.contracts.base import Contract, Rational, Seconds, Uri
from longtake.contracts.batch import Batch, ItemResult
from longtake.contracts.check import PackageCheck, RenditionFacts, RuleFinding
from longtake.contracts.command import Command
from longtake.contracts.encode import (
    AudioOptions,
    AudioSettings,
    EncodePreset,
    EncodeSettings,
    VideoOptions,
    VideoSettings,
)
from longtake.contracts.job import Job
from longtake.contracts.loudness import Aim, AlbumLoudness, Levelled, Loudness, Tagged
from longtake.contracts.media import AudioFacts, Chapter, MediaFacts, OtherStream, VideoFacts
from longtake.contracts.normalize import Normalize
from longtake.contracts.package import Package, PackagePreset
from longtake.contracts.pipeline import Pipeline, PipelineDocument, StepStatus
from longtake.contracts.preview import Preview
from longtake.contracts.probe import Finding, Loudest, Probe
from longtake.contracts.result import (
    JobError,
    JobResult,
    JobStatus,
    JobSummary,
    Output,
    Progress,
    Stage,
    State,
    Stats,
    Transcribed,
)
from longtake.contracts.schedule import ScheduledRun, ScheduleFacts, Timetable
from longtake.contracts.stitch import Stitch, StitchPreset
from longtake.contracts.transcode import Transcode
from longtake.contracts.transcribe import SpeechSettings, Transcribe
from longtake.contracts.transcript import LanguageFound, Segment, Transcript, Word
from longtake.contracts.webhooks import Delivery, JobEvent, Webhook

__all__ = [
    "Aim",
    "AlbumLoudness",
    "AudioFacts",
    "AudioOptions",
    "AudioSettings",
    "Batch",
    "Chapter",
    "Command",
    "Contract",
    "Delivery",
    "EncodePreset",
    "EncodeSettings",
    "Finding",
    "ItemResult",
    "Job",
    "JobError",
    "JobEvent",
    "JobResult",
    "JobStatus",
    "JobSummary",
    "LanguageFound",
    "Levelled",
    "Loudest",
    "Loudness",
    "MediaFacts",
    "Normalize",
    "OtherStream",
    "Output",
    "Package",
    "PackageCheck",
    "PackagePreset",
    "Pipeline",
    "PipelineDocument",
    "Preview",
    "Probe",
    "Progress",
    "Rational",
    "RenditionFacts",
    "RuleFinding",
    "ScheduleFacts",
    "ScheduledRun",
    "Seconds",
    "Segment",
    "SpeechSettings",
    "Stage",
    "State",
    "Stats",
    "StepStatus",
    "Stitch",
    "StitchPreset",
    "Tagged",
    "Timetable",
    "Transcode",
    "Transcribe",
    "Transcribed",
    "Transcript",
    "Uri",
    "VideoFacts",
    "VideoOptions",
    "VideoSettings",
    "Webhook",
    "Word",
]
