"""The job `Normalize`: one file in, the same file out at another loudness."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from longtake.contracts.base import Uri
from longtake.contracts.containers import CONTAINER_OF_SUFFIX, Container, why_not
from longtake.contracts.encode import BitRate
from longtake.contracts.job import Job
from longtake.contracts.loudness import Aim, LevelMode, Target, aim_at
from longtake.paths import shown

SoundCodec = Literal["aac", "opus", "mp3", "flac", "pcm", "ac3"]


class Normalize(Job):
    """Bring every sound track of a file to one loudness, measured in the encoded file.

    `{"input": URI, "output": URI, "target": "podcast"}`. The picture is copied; rate, channels,
    tags, cover and chapters are kept as far as the output's format holds them.
    """

    COUNTS: ClassVar[str] = "steps"

    kind: Literal["normalize"] = "normalize"
    input: Uri
    output: Uri = Field(
        description=f"Its suffix decides the container: {', '.join(CONTAINER_OF_SUFFIX)}."
    )
    target: Target = Field(
        default="ebu-r128",
        description="ebu-r128 (-23 LUFS, -1 dBTP), atsc-a85 (-24 LKFS, -2 dBTP), podcast (-16 "
        "LUFS, mono -19, -1 dBTP) or streaming (-14 LUFS, -1 dBTP).",
    )
    loudness_lufs: Annotated[float, Field(ge=-50, le=-5)] | None = Field(
        default=None, description="Integrated loudness, instead of the target's."
    )
    true_peak_dbtp: Annotated[float, Field(ge=-9, le=0)] | None = Field(
        default=None, description="Highest true peak, instead of the target's."
    )
    mode: LevelMode = Field(
        default="limit",
        description="linear: one gain, and less of it where the true peak does not allow more. "
        "limit: one gain, and a true-peak limiter where it is needed. dynamic: quiet passages "
        "are brought up first; this changes how the sound was mixed.",
    )
    codec: SoundCodec | None = Field(
        default=None,
        description="Left out: the source's where it can be encoded and the output holds it, "
        "else what the output's format is for.",
    )
    bitrate_bps: BitRate | None = Field(
        default=None,
        description="Of each track. Left out: the source's where the codec stays and it is more "
        "than the codec's default.",
    )
    overwrite: bool = Field(default=False, description="Replace the output if it exists.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Normalize:
        if self.input == self.output:
            raise ValueError("output must be another file than input")
        if self.gpu != "never":
            raise ValueError("sound is levelled by CPU workers: leave gpu out")
        if self.codec is not None:
            why = why_not(self.container, "audio", self.codec)
            if why:
                raise ValueError(why.replace("--audio", "--codec"))
        if self.bitrate_bps is not None and self.codec in ("flac", "pcm"):
            raise ValueError(f"{self.codec} keeps every sample and has no bit rate: leave it out")
        self.container  # noqa: B018 - raises for a suffix that is no container
        return self

    @property
    def container(self) -> Container:
        """The container that the output's suffix asks for."""
        suffix = PurePosixPath(shown(self.output)).suffix.lower()
        if suffix not in CONTAINER_OF_SUFFIX:
            ends = f"ends in {suffix!r}" if suffix else "has no suffix"
            raise ValueError(f"output {ends}: use one of {', '.join(CONTAINER_OF_SUFFIX)}")
        return CONTAINER_OF_SUFFIX[suffix]

    def aim(self, channels: int) -> Aim:
        """Where a track of so many channels shall land."""
        aim = aim_at(self.target, channels)
        loudness, peak = self.loudness_lufs, self.true_peak_dbtp
        return Aim(
            integrated_lufs=aim.integrated_lufs if loudness is None else loudness,
            true_peak_dbtp=aim.true_peak_dbtp if peak is None else peak,
            mode=self.mode,
        )
