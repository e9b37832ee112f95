"""How streams are encoded: options of a job or preset, and the settings they resolve to.

Options leave open what the preset (or the default) decides; settings are complete.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from longtake.contracts.base import Contract, Seconds

VideoCodec = Literal["h264", "copy", "none"]
AudioCodec = Literal["aac", "copy", "none"]
PixelFormat = Literal["yuv420p", "source"]
Container = Literal["mp4", "mkv"]
Profile = Literal["baseline", "main", "high"]
Speed = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]

Crf = Annotated[int, Field(ge=0, le=51)]
Pixels = Annotated[int, Field(ge=16, le=16384)]
BitRate = Annotated[int, Field(ge=8_000, le=500_000_000)]

SampleRate = Literal[8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
"""Rates in Hz that AAC has and players take."""

CONTAINER_OF_SUFFIX: dict[str, Container] = {".mp4": "mp4", ".m4v": "mp4", ".mkv": "mkv"}


class VideoOptions(Contract):
    """What a job or preset says of the picture. What is left out, the preset decides."""

    codec: VideoCodec | None = Field(
        default=None, description="h264, copy (the stream as it is) or none (leave it out)."
    )
    crf: Crf | None = Field(
        default=None, description="Quality of x264: 0 is lossless, 18 fine, 23 its default."
    )
    speed: Speed | None = Field(
        default=None, description="The encoder's own preset name: slower is smaller."
    )
    height: Pixels | None = Field(
        default=None,
        description="Upper bound in pixels for the picture's shorter side, as in '720p'; a "
        "portrait picture of 720p is 720 wide. Smaller pictures stay as they are.",
    )
    upscale: bool | None = Field(default=None, description="Let `height` enlarge, too.")
    profile: Profile | None = Field(default=None, description="H.264 profile at most.")
    pixel_format: PixelFormat | None = Field(
        default=None,
        description="yuv420p plays everywhere; source keeps bit depth and chroma as they are.",
    )
    max_bitrate_bps: BitRate | None = Field(
        default=None, description="Cap in bit/s (capped CRF), over a buffer of two seconds."
    )
    keyframe_interval_s: Seconds | None = Field(
        default=None, description="Longest distance of keyframes, in seconds."
    )
    smart_copy: bool | None = Field(
        default=None,
        description="Copy the stream instead of encoding it when it already meets these options.",
    )


class AudioOptions(Contract):
    """What a job or preset says of the sound."""

    codec: AudioCodec | None = Field(
        default=None, description="aac, copy (the stream as it is) or none (leave it out)."
    )
    bitrate_bps: BitRate | None = Field(default=None, description="bit/s for the whole stream.")
    channels: Annotated[int, Field(ge=1, le=8)] | None = Field(
        default=None, description="At most so many channels; more are mixed down."
    )
    sample_rate: SampleRate | None = Field(
        default=None, description="Hz; left out everywhere, the source's own."
    )
    smart_copy: bool | None = Field(
        default=None,
        description="Copy the stream instead of encoding it when it already meets these options.",
    )


class EncodePreset(Contract):
    """A named choice of options, as it stands in `presets/encode/NAME.yaml` or a user's file."""

    title: str = Field(description="What it is, in a few words.")
    audience: str = Field(description="For whom it is.")
    video: VideoOptions = VideoOptions()
    audio: AudioOptions = AudioOptions()


class VideoSettings(Contract):
    """Complete settings of the picture, as the plan uses them. Defaults are the product's."""

    codec: VideoCodec = "h264"
    crf: Crf = 23
    speed: Speed = "medium"
    height: Pixels | None = None
    upscale: bool = False
    profile: Profile | None = None
    pixel_format: PixelFormat = "yuv420p"
    max_bitrate_bps: BitRate | None = None
    keyframe_interval_s: Seconds | None = None
    smart_copy: bool = False

    @model_validator(mode="after")
    def _lossless_keeps_everything(self) -> VideoSettings:
        if self.codec == "h264" and self.crf == 0 and self.max_bitrate_bps:
            raise ValueError("crf 0 is lossless and cannot have max_bitrate_bps: drop one")
        return self


class AudioSettings(Contract):
    """Complete settings of the sound, as the plan uses them."""

    codec: AudioCodec = "aac"
    bitrate_bps: BitRate = 128_000
    channels: int = 2
    sample_rate: int | None = None
    smart_copy: bool = False


class EncodeSettings(Contract):
    """Everything that shapes the output's bytes, apart from the source."""

    preset: str
    video: VideoSettings
    audio: AudioSettings
    container: Container
