"""The job `Transcode`: one file in, one file out, in another form."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from longtake.contracts.base import Seconds, Uri
from longtake.contracts.captions import MOST_CAPTIONS, CaptionFile
from longtake.contracts.chapters import Breaks
from longtake.contracts.containers import (
    CAPTIONED,
    CHAPTERED,
    CONTAINER_OF_SUFFIX,
    CONTAINERS,
    PRESET_OF_CODEC,
    Container,
)
from longtake.contracts.encode import AudioOptions, EncodePreset, VideoOptions
from longtake.contracts.job import Job
from longtake.paths import shown


class Transcode(Job):
    """Encode, or copy, a media file into another.

    The shortest form is `{"input": URI, "output": URI, "preset": "web-720p"}`.
    """

    READS: ClassVar[tuple[str, ...]] = ("input", "captions.source")

    kind: Literal["transcode"] = "transcode"
    input: Uri
    output: Uri = Field(
        description=f"Its suffix decides the container: {', '.join(CONTAINER_OF_SUFFIX)}."
    )
    preset: str | EncodePreset | None = Field(
        default=None,
        description="Name of a preset, or a whole preset. Left out: what the container is for "
        "(web-1080p for .mp4, .mov and .mkv); or, with crf 0, lossless at the source's own size "
        "and pixel format.",
    )
    video: VideoOptions = Field(
        default=VideoOptions(), description="Options that replace the preset's."
    )
    audio: AudioOptions = Field(
        default=AudioOptions(), description="Options that replace the preset's."
    )
    start: Seconds | None = Field(default=None, description="Where the clip begins; included.")
    end: Seconds | None = Field(default=None, description="Where the clip ends; not included.")
    chunk_s: Annotated[Seconds, Field(ge=1, le=3600)] | None = Field(
        default=None,
        description="Length of every chunk in seconds, up to the next keyframe. A kill costs one.",
    )
    chapters: Literal["detect"] | Breaks | None = Field(
        default=None,
        description="detect, or what counts as a break: chapters begin where black and silence "
        "end. Left out: the source's own.",
    )
    captions: Annotated[tuple[CaptionFile, ...], Field(max_length=MOST_CAPTIONS)] = Field(
        default=(),
        description="Text tracks that are laid beside the source's own, on the source's clock.",
    )
    salvage: bool = Field(
        default=False,
        description="Take a source whose end is missing, such as an upload that stopped, for what "
        "is there, with a warning; else it is refused.",
    )
    overwrite: bool = Field(default=False, description="Replace the output if it exists.")

    @model_validator(mode="after")
    def _clip_has_a_length(self) -> Transcode:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end} s) must lie behind start ({self.start} s)")
        if self.input == self.output:
            raise ValueError("output must be another file than input")
        container = self.container  # raises for a suffix that is no container
        if self.breaks and container not in CHAPTERED:
            suffixes = ", ".join(CONTAINERS[name].suffixes[0] for name in CHAPTERED)
            raise ValueError(
                f"{CONTAINERS[container].words} holds no chapters: write to one of "
                f"{suffixes}, or leave chapters out"
            )
        if self.captions and container not in CAPTIONED:
            suffixes = ", ".join(CONTAINERS[name].suffixes[0] for name in CAPTIONED)
            raise ValueError(
                f"{CONTAINERS[container].words} holds no text tracks: write to one of {suffixes}, "
                "or leave captions out"
            )
        return self

    @property
    def beside(self) -> tuple[str, ...]:
        """URIs of what is read beside the input: a watermark's image, a file of captions."""
        pictures = [self.video]
        if isinstance(self.preset, EncodePreset):
            pictures.append(self.preset.video)
        marks = [video.watermark.image for video in pictures if video.watermark]
        return (*marks, *(v.captions.file for v in pictures if v.captions and v.captions.file))

    @property
    def breaks(self) -> Breaks | None:
        """What chapters are found by; None where they are not looked for."""
        return Breaks() if self.chapters == "detect" else self.chapters

    @property
    def container(self) -> Container:
        """The container that the output's suffix asks for."""
        suffix = PurePosixPath(shown(self.output)).suffix.lower()
        if suffix not in CONTAINER_OF_SUFFIX:
            known = ", ".join(CONTAINER_OF_SUFFIX)
            ends = f"ends in {suffix!r}" if suffix else "has no suffix"
            raise ValueError(f"output {ends}: use one of {known}")
        return CONTAINER_OF_SUFFIX[suffix]

    @property
    def preset_name(self) -> str:
        """What the job's preset is called, also where the job names none."""
        if isinstance(self.preset, EncodePreset):
            return "inline"
        if self.preset is None and self.video.crf == 0:
            return "lossless"
        return self.preset or self.default_preset

    @property
    def default_preset(self) -> str:
        """The preset of a job that names none: what its codec, or else its container, is for."""
        return PRESET_OF_CODEC.get(self.video.codec or "", CONTAINERS[self.container].preset)
