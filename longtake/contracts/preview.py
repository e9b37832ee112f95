"""The job `Preview`: pictures and a waveform that show what is in a media file."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from longtake.contracts.base import Contract, Seconds, Uri
from longtake.contracts.job import Job

PreviewPart = Literal["poster", "thumbnails", "storyboard", "animation", "waveform", "peaks"]
PREVIEW_PARTS: tuple[PreviewPart, ...] = get_args(PreviewPart)

PosterHeight = Annotated[int, Field(ge=16, le=4320)]
# Bounds on what is held in memory at once.
ThumbnailHeight = Annotated[int, Field(ge=16, le=1080)]
TileHeight = Annotated[int, Field(ge=16, le=240)]
AnimationHeight = Annotated[int, Field(ge=16, le=480)]
Interval = Annotated[Seconds, Field(ge=Fraction(1, 10))]


class Poster(Contract):
    """One picture that stands for the film: a JPEG."""

    at: Seconds | None = Field(
        default=None, description="Its time; left out, the best of twelve frames is taken."
    )
    height: PosterHeight = Field(default=720, description="Bound for the shorter side in pixels.")


class Thumbnails(Contract):
    """A JPEG every so many seconds."""

    every_s: Interval | None = Field(
        default=None, description="Left out: whole seconds that give at most 50 pictures."
    )
    height: ThumbnailHeight = Field(
        default=180, description="Bound for the shorter side in pixels."
    )


class Storyboard(Contract):
    """Small pictures in sheets, and a WebVTT file that says which is when, for players' bars."""

    every_s: Interval | None = Field(
        default=None, description="Left out: whole seconds that give at most one sheet."
    )
    height: TileHeight = Field(
        default=90, description="Bound for a picture's shorter side in pixels."
    )
    columns: int = Field(default=10, ge=1, le=20, description="Pictures side by side in a sheet.")
    rows: int = Field(default=10, ge=1, le=20, description="Rows of a full sheet.")


class Animation(Contract):
    """Four short shots of the film one after the other: an animated WebP without sound."""

    shot_s: Annotated[Seconds, Field(gt=0, le=3)] = Field(
        default=Fraction(1), description="Length of a shot in seconds."
    )
    fps: int = Field(default=10, ge=1, le=20, description="Pictures a second.")
    height: AnimationHeight = Field(
        default=240, description="Bound for the shorter side in pixels."
    )


class Waveform(Contract):
    """The sound drawn as a PNG, all channels mixed down."""

    width: int = Field(default=1800, ge=16, le=16384, description="Pixels.")
    height: int = Field(default=280, ge=16, le=4096, description="Pixels.")


class Peaks(Contract):
    """Least and greatest samples, in the JSON format of BBC's audiowaveform, version 2."""

    samples_per_pixel: int = Field(
        default=256, ge=2, le=1_000_000, description="Samples that a pair stands for."
    )
    bits: Literal[8, 16] = Field(default=8, description="Resolution of the values.")
    split_channels: bool = Field(
        default=False, description="A pair for each channel; else one of their mean."
    )


class Preview(Job):
    """Show what is in a media file.

    `{"input": URI, "output": FOLDER}`.
    """

    WRITES_FOLDER: ClassVar[bool] = True
    COUNTS: ClassVar[str] = "parts"

    kind: Literal["preview"] = "preview"
    input: Uri
    output: Uri = Field(description="A folder; made if it is not there.")
    parts: tuple[PreviewPart, ...] = Field(
        default=PREVIEW_PARTS,
        min_length=1,
        description="What to make. What a source cannot give, such as a waveform of a silent "
        "film, is left out, and the result says so.",
    )
    poster: Poster = Poster()
    thumbnails: Thumbnails = Thumbnails()
    storyboard: Storyboard = Storyboard()
    animation: Animation = Animation()
    waveform: Waveform = Waveform()
    peaks: Peaks = Peaks()
    overwrite: bool = Field(default=False, description="Replace files that exist.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Preview:
        if self.input == self.output:
            raise ValueError("output must be a folder, not the input")
        if self.gpu != "never":
            raise ValueError("a preview is made by CPU workers: leave gpu out")
        return self
