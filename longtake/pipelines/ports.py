"""What the steps of a pipeline read and give, so that no clash of types waits for the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal, get_args

from longtake.contracts.base import Contract
from longtake.contracts.batch import Batch
from longtake.contracts.command import Command
from longtake.contracts.containers import ANIMATIONS, CONTAINER_OF_SUFFIX, CONTAINERS
from longtake.contracts.job import Job
from longtake.contracts.normalize import Normalize
from longtake.contracts.package import Package
from longtake.contracts.pipeline import (
    Checksums,
    FileType,
    Pipeline,
    PipelineReport,
    ProbeStep,
    ValueType,
)
from longtake.contracts.preview import Preview
from longtake.contracts.result import Output
from longtake.contracts.stitch import Stitch
from longtake.contracts.transcode import Transcode
from longtake.contracts.transcribe import Transcribe
from longtake.stitching import resolve_stitch

Taken = FileType | ValueType | Literal["file"]
"""What a place takes; `file` is a file of any type."""

TAKES: Mapping[str, Mapping[str, Taken]] = {
    "transcode": {
        "input": "media",
        "video.watermark.image": "image",
        "video.captions.file": "captions",
    },
    "preview": {"input": "media"},
    "command": {"input": "media"},
    "normalize": {"input": "media"},
    "stitch": {
        "timeline": "media",
        "timeline.source": "media",
        "timeline.chapter": "text",
        "cover": "image",
        "tags.*": "text",
    },
    "package": {
        "input": "media",
        "captions.source": "captions",
        "captions.language": "language",
        "captions.title": "text",
        "encryption.key": "key",
    },
    "transcribe": {
        "input": "media",
        "language": "language",
        "prompt": "text",
        "hot_words": "text",
    },
    "batch": {"input": "files"},
    "pipeline": {"inputs.*": "file", "texts.*": "text"},
    "probe": {"input": "media"},
    "checksums": {"files": "file"},
    "report": {},
}
"""Where references may stand, by a step's kind; a list's numbers are left out, `*` is any name.
What a pipeline's inputs and texts take, its document says more exactly."""

OPAQUE: Mapping[str, str] = {"pipeline": "pipeline", "batch": "job"}
"""Fields, by a step's kind, in which references are not this document's."""

_SOUND_ALONE = {".mka", ".aac"}.union(
    *(holds.suffixes for holds in CONTAINERS.values() if holds.video == ())
)

STEPS: Mapping[str, type[Job]] = {
    "transcode": Transcode,
    "preview": Preview,
    "command": Command,
    "normalize": Normalize,
    "stitch": Stitch,
    "package": Package,
    "transcribe": Transcribe,
    "batch": Batch,
    "pipeline": Pipeline,
    "probe": ProbeStep,
    "checksums": Checksums,
    "report": PipelineReport,
}
"""Contracts of what can be a step, by kind."""

_SUFFIX: Mapping[Taken, str] = {
    "media": ".mkv",
    "video": ".mp4",
    "audio": ".wav",
    "image": ".png",
    "captions": ".vtt",
    "transcript": ".json",
    "key": ".key",
}

_WORDS: Mapping[Taken, str] = {
    "media": "video or audio",
    "image": "an image",
    "transcript": "a transcript",
    "document": "a document",
    "package": "a package",
    "data": "data",
    "key": "a key",
    "text": "words",
    "language": "a language",
    "file": "a file",
    "files": "a pattern, a folder or a list of files",
}

_TRANSCRIBED: Mapping[str, FileType] = {
    "vtt": "captions",
    "srt": "captions",
    "json": "transcript",
    "txt": "document",
    "md": "document",
}


class Port(Contract):
    """One thing that an input or a step gives."""

    type: FileType | ValueType
    suffix: str = ""
    """Of the file's name, with its dot."""
    many: bool = False
    """Whether it may be several files."""
    role: str = "main"
    """Of its outputs in the job's result."""

    def pick(self, outputs: Sequence[Output]) -> tuple[Output, ...]:
        """Those outputs of a finished step that this port means."""
        return tuple(
            output
            for output in outputs
            if output.role == self.role and suffix_of(output.uri).endswith(self.suffix)
        )


def port_of_input(kind: FileType | ValueType, *, many: bool = False) -> Port:
    """What an input of a pipeline gives."""
    return Port(type=kind, suffix=_SUFFIX.get(kind, ""), many=many)


def taken_at(kind: str, place: Sequence[int | str]) -> Taken | None:
    """What a place in a step's fields takes; None where no reference may stand."""
    names = [part for part in place if isinstance(part, str)]
    takes = TAKES[kind]
    return takes.get(".".join(names)) or takes.get(".".join([*names[:-1], "*"]))


def fits(given: FileType | ValueType, taken: Taken) -> bool:
    """Whether what is given may stand where `taken` is wanted. Media may turn out to be either."""
    if taken == "file":
        return given in get_args(FileType) and given != "files"
    if taken == "text":
        return given in get_args(ValueType)
    if "media" in (given, taken):
        return {given, taken} <= {"media", "video", "audio"}
    return given == taken


def words(kind: Taken) -> str:
    """A type in words, such as `video or audio`."""
    return _WORDS.get(kind, kind)


def suffix_of(uri: str) -> str:
    """The suffix of a file's name, in small letters."""
    return PurePosixPath(uri).suffix.lower()


def made_by(job: Job) -> dict[str, Port]:
    """What a step's job gives, by the name that references use; what a pipeline gives, its document
    says (`nested.gives`). Raises InvalidJob as the job's presets do."""
    return dict(_made_by(job))


def _made_by(job: Job) -> Iterator[tuple[str, Port]]:
    match job:
        case Transcode() | Command():
            yield _media(job.output, sound_alone=_is_sound_alone(job))
        case Normalize():
            yield _media(job.files[0][1], many=job.album)
        case Preview():
            yield from _pictures(job)
        case Stitch():
            yield from _programme(resolve_stitch(job))
        case Package():
            yield from _package(job)
        case Batch():
            yield "report", Port(type="data", suffix=".jsonl", role="report")
        case ProbeStep():
            yield "facts", Port(type="data", suffix=suffix_of(job.output))
        case Checksums():
            yield "list", Port(type="document", suffix=suffix_of(job.output))
        case PipelineReport():
            yield "report", Port(type="data", suffix=suffix_of(job.output))
        case Transcribe():
            yield from _transcript(job)


def _media(
    output: str, *, sound_alone: bool = False, many: bool = False
) -> tuple[Literal["image", "audio", "video"], Port]:
    """A film, a sound or an animation, as the suffix says."""
    suffix = suffix_of(output)
    container = CONTAINER_OF_SUFFIX.get(suffix)
    kind: Literal["image", "audio", "video"] = "video"
    if container in ANIMATIONS:
        kind = "image"
    elif (
        sound_alone
        or suffix in (".mka", ".aac")
        or (container and CONTAINERS[container].video == ())
    ):
        kind = "audio"
    return kind, Port(type=kind, suffix=suffix, many=many)


def _is_sound_alone(job: Transcode | Command) -> bool:
    if isinstance(job, Transcode):
        return job.video.codec == "none"
    return "-vn" in job.arguments


def _pictures(job: Preview) -> Iterator[tuple[str, Port]]:
    files: dict[str, tuple[FileType, str]] = {
        "poster": ("image", ".jpg"),
        "thumbnails": ("image", ".jpg"),
        "storyboard": ("image", ".jpg"),
        "animation": ("image", ".webp"),
        "waveform": ("image", ".png"),
        "peaks": ("data", ".json"),
    }
    for part in job.parts:
        kind, suffix = files[part]
        many = part in ("thumbnails", "storyboard")
        yield (
            part,
            Port(
                type=kind,
                suffix=suffix,
                many=many,
                role="thumbnail" if part == "thumbnails" else part,
            ),
        )
        if part == "storyboard":
            yield "storyboard-vtt", Port(type="data", suffix=".vtt", role="storyboard-vtt")


def _programme(job: Stitch) -> Iterator[tuple[str, Port]]:
    for output in job.outputs:
        _, port = _media(output.uri)
        yield port.suffix.removeprefix("."), port
    if job.segments:
        suffix = suffix_of(job.outputs[0].uri)
        yield "segments", Port(type="audio", suffix=suffix, many=True, role="segment")
    for beside in job.beside or ():
        kind: FileType = "image" if beside == "waveform" else "data"
        suffix = ".png" if beside == "waveform" else ".json"
        yield beside, Port(type=kind, suffix=suffix, role=beside)


def _package(job: Package) -> Iterator[tuple[str, Port]]:
    yield "hls", Port(type="package", suffix=".m3u8", role="hls")
    if job.encryption is None or job.encryption.scheme != "aes-128":  # DASH has no such thing
        yield "dash", Port(type="package", suffix=".mpd", role="dash")
    yield "listing", Port(type="data", suffix=".json", role="listing")


def _transcript(job: Transcribe) -> Iterator[tuple[str, Port]]:
    for name, uri in job.texts:
        yield name, Port(type=_TRANSCRIBED[name], suffix=suffix_of(uri), role=name)
    if job.film_uri:
        yield "film", Port(type="video", suffix=suffix_of(job.film_uri), role="film")
    yield "language", Port(type="language")
