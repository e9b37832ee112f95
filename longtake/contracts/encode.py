"""How streams are encoded: options of a job or preset, and the settings they resolve to.

Options leave open what the preset (or the default) decides; settings are complete.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from longtake.contracts.base import Contract, Seconds
from longtake.contracts.codecs import ENCODINGS, why_no_gpu, why_wrong
from longtake.contracts.containers import Container
from longtake.contracts.picture import (
    Captions,
    Crop,
    Deinterlace,
    Denoise,
    FrameRate,
    Hdr,
    Size,
    Watermark,
    box,
)
from longtake.contracts.sound import SOUNDS, why_wrong_sound

VideoCodec = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1", "gif", "webp", "copy", "none"]
AudioCodec = Literal["aac", "opus", "mp3", "flac", "pcm", "ac3", "copy", "none"]
PixelFormat = Literal["yuv420p", "yuv420p10", "source"]
Profile = Literal["baseline", "main", "high", "proxy", "lt", "standard", "hq", "4444", "4444xq"]


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Speed = Annotated[
    str,
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]}),
]
"""A preset's name (x264, x265) or a number (SVT-AV1, VP9)."""


def _whole_if_it_is(value: float) -> float:
    return int(value) if value == int(value) else value


Crf = Annotated[
    int | float,
    Field(json_schema_extra={"minimum": 0, "maximum": 63}),
    AfterValidator(_whole_if_it_is),
]
"""Whole numbers are kept as such: 23 and 23.0 are the same command, and the same content. Each
codec has a scale of its own, and `codecs.py` says so where a number is outside."""


def _target(value: str) -> str:
    found = re.fullmatch(r"vmaf:(\d{1,3}(?:\.\d{1,3})?)", value)
    if found is None or not 20 <= float(found[1]) <= 99:
        raise ValueError(f"{value!r}: use vmaf:NUMBER, from vmaf:20 to vmaf:99, such as vmaf:95")
    return value


Quality = Annotated[
    str,
    AfterValidator(_target),
    WithJsonSchema({"type": "string", "pattern": r"^vmaf:\d{1,3}(\.\d{1,3})?$"}),
]
"""A quality to reach: a measure and its score."""

Pixels = Annotated[int, Field(ge=16, le=16384)]
BitRate = Annotated[int, Field(ge=8_000, le=500_000_000)]

SampleRate = Literal[8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000]
"""Rates in Hz that players take."""


def _track(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError:
        words = "a track is a number from 1 to 64, or a language such as en or deu"
        raise ValueError(f"{value!r} will not do; {words}") from None


Track = Annotated[
    Annotated[int, Field(ge=1, le=64)] | Annotated[str, Field(pattern=r"^[A-Za-z-]{2,20}$")],
    WrapValidator(_track),
]
"""A sound track by its number, the first is 1, or by its language as the file names it."""


class VideoOptions(Contract):
    """What a job or preset says of the picture. What is left out, the preset decides."""

    codec: VideoCodec | None = Field(
        default=None,
        description="h264, hevc, av1, vp9, prores, ffv1, gif, webp, copy (the stream as it is) "
        "or none (leave it out).",
    )
    crf: Crf | None = Field(
        default=None,
        description="Constant quality, on the codec's own scale: h264 and hevc 0 to 51, av1 1 to "
        "63, vp9 0 to 63. 0 is lossless.",
    )
    quality: Quality | None = Field(
        default=None,
        description="Score that the whole picture shall reach, instead of crf: 'vmaf:95'. Short "
        "probes of the source find the crf. h264, hevc, av1 and vp9.",
    )
    bitrate_bps: BitRate | None = Field(
        default=None,
        description="Bit rate of the whole picture in bit/s, in two passes, instead of crf.",
    )
    speed: Speed | None = Field(
        default=None,
        description="The encoder's own preset: ultrafast to veryslow for h264 and hevc, 0 "
        "(smallest) to 13 for av1, 0 to 8 for vp9.",
    )
    height: Pixels | None = Field(
        default=None,
        description="Upper bound in pixels for the picture's shorter side, as in '720p'; a "
        "portrait picture of 720p is 720 wide. Smaller pictures stay as they are.",
    )
    upscale: bool | None = Field(default=None, description="Let `height` and `fit` enlarge, too.")
    crop: Crop | None = Field(
        default=None,
        description="auto (black borders are found and cut off), or WIDTH:HEIGHT:LEFT:TOP in "
        "pixels of the source as it is shown upright; even numbers.",
    )
    fit: Size | None = Field(
        default=None, description="WIDTHxHEIGHT that the picture must fit in; instead of height."
    )
    pad: Size | None = Field(
        default=None,
        description="Exact WIDTHxHEIGHT of the output: the picture is fitted in, and the rest is "
        "black.",
    )
    deinterlace: Deinterlace | None = Field(
        default=None,
        description="auto: an interlaced picture becomes progressive, a frame for each frame.",
    )
    frame_rate: FrameRate | None = Field(
        default=None,
        description="Constant frames per second at most, such as 30 or '30000/1001'. A slower "
        "constant rate stays; a variable one becomes constant.",
    )
    denoise: Denoise | None = Field(
        default=None, description="Noise is averaged over frames that lie side by side."
    )
    hdr: Hdr | None = Field(
        default=None,
        description="keep (10 bits), sdr (tone-mapped), or auto: kept where the output has more "
        "than 8 bits.",
    )
    watermark: Watermark | None = Field(default=None, description="A PNG over the picture.")
    captions: Captions | None = Field(default=None, description="Text burnt into the picture.")
    profile: Profile | None = Field(
        default=None,
        description="H.264 profile at most (baseline, main, high), or the profile of "
        "ProRes (proxy to 4444xq).",
    )
    pixel_format: PixelFormat | None = Field(
        default=None,
        description="yuv420p plays everywhere, yuv420p10 has 10 bits; source keeps bit depth and "
        "chroma as they are.",
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
        default=None,
        description="aac, opus, mp3, flac, pcm, ac3, copy (the stream as it is) or none (leave it "
        "out).",
    )
    tracks: Literal["all"] | tuple[Track, ...] | None = Field(
        default=None,
        description="Which sound tracks: all, or numbers (from 1) and languages. Left out: the "
        "default one; with copy, all.",
    )
    bitrate_bps: BitRate | None = Field(
        default=None, description="bit/s for each track. Not for flac and pcm."
    )
    bit_depth: Literal[16, 24] | None = Field(
        default=None, description="Bits of flac and pcm; left out, as many as the source has."
    )
    take_side: Literal["left", "right"] | None = Field(
        default=None,
        description="Take this channel alone, on both sides: for recordings with the voice on "
        "one side, or with another language on each.",
    )
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
    """Complete settings of the picture, as the plan uses them. Defaults are the codec's."""

    codec: VideoCodec = "h264"
    crf: Crf | None = None
    """None where a bit rate or a quality is aimed at, and for codecs without it."""
    quality: Quality | None = None
    """Until its crf is found."""
    bitrate_bps: BitRate | None = None
    speed: Speed | None = None
    height: Pixels | None = None
    upscale: bool = False
    crop: Crop | None = None
    fit: Size | None = None
    pad: Size | None = None
    deinterlace: Deinterlace = "never"
    frame_rate: FrameRate | None = None
    denoise: Denoise | None = None
    hdr: Hdr = "auto"
    watermark: Watermark | None = None
    captions: Captions | None = None
    profile: Profile | None = None
    pixel_format: PixelFormat = "yuv420p"
    ten_bits_for_hdr: bool = False
    """Whether an HDR source gets 10 bits: nobody chose a pixel format, and all that play the
    codec play 10 bits."""
    alpha: bool = False
    """Whether transparency is kept as a second picture, as an AVIF has it."""
    max_bitrate_bps: BitRate | None = None
    keyframe_interval_s: Seconds | None = None
    smart_copy: bool = False
    conform: bool = False
    """Whether pictures come out alike, whatever they were: slower ones are brought to
    `frame_rate`, too, and all to BT.709."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_codec(cls, given: Any) -> Any:
        encoding = ENCODINGS.get(given.get("codec") or "h264") if isinstance(given, dict) else None
        if encoding is None:
            return given
        defaults: dict[str, Any] = {
            "speed": encoding.speed,
            "profile": encoding.profile,
            "pixel_format": encoding.pixel_formats[0],
            "ten_bits_for_hdr": encoding.ten_bits_for_hdr and not given.get("pixel_format"),
        }
        if encoding.crf and not (given.get("bitrate_bps") or given.get("quality")):
            defaults["crf"] = encoding.crf[2]
        return defaults | {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _fits_the_codec(self) -> VideoSettings:
        if self.codec not in ENCODINGS:
            return self
        wrong = why_wrong(
            self.codec,
            crf=self.crf,
            speed=self.speed,
            profile=self.profile,
            pixel_format=self.pixel_format,
            rate=bool(self.bitrate_bps),
            cap=bool(self.max_bitrate_bps),
        )
        if wrong:
            raise ValueError(wrong)
        if self.crf is not None and self.bitrate_bps:
            raise ValueError("crf and bitrate_bps contradict each other: drop one")
        if self.quality and (self.crf is not None or self.bitrate_bps):
            other = "bitrate_bps" if self.bitrate_bps else "crf"
            raise ValueError(f"quality and {other} contradict each other: drop one")
        if self.quality and ENCODINGS[self.codec].crf is None:
            raise ValueError(f"{self.codec} has no crf that a quality could be reached by: drop it")
        if self.lossless and self.max_bitrate_bps:
            raise ValueError("crf 0 is lossless and cannot have max_bitrate_bps: drop one")
        return self

    @property
    def lossless(self) -> bool:
        """Whether the decoded output equals what was encoded, bit by bit."""
        return self.codec == "ffv1" or self.crf == 0

    def why_no_gpu(self) -> str | None:
        """What a GPU cannot do of this, in words; None where it can."""
        return why_no_gpu(
            self.codec,
            crf=self.crf,
            rate=bool(self.bitrate_bps),
            quality=bool(self.quality),
            pixel_format=self.pixel_format,
        )

    @model_validator(mode="after")
    def _one_size(self) -> VideoSettings:
        if self.height and (self.fit or self.pad):
            raise ValueError("height and fit or pad contradict each other: drop one")
        if self.fit and self.pad:
            (width, height), (wide, high) = box(self.fit), box(self.pad)
            if width > wide or height > high:
                raise ValueError(f"fit {self.fit} does not lie within pad {self.pad}")
        return self


class AudioSettings(Contract):
    """Complete settings of the sound, as the plan uses them. Defaults are the codec's."""

    codec: AudioCodec = "aac"
    tracks: Literal["all"] | tuple[Track, ...] | None = None
    bitrate_bps: BitRate | None = None
    """None for codecs that keep every sample."""
    bit_depth: Literal[16, 24] | None = None
    take_side: Literal["left", "right"] | None = None
    channels: int = 2
    sample_rate: int | None = None
    smart_copy: bool = False

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_codec(cls, given: Any) -> Any:
        sound = SOUNDS.get(given.get("codec") or "aac") if isinstance(given, dict) else None
        if sound is None:
            return given
        defaults = {"bitrate_bps": sound.bitrate_bps, "channels": sound.channels}
        return defaults | {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _fits_the_codec(self) -> AudioSettings:
        if self.codec in SOUNDS:
            wrong = why_wrong_sound(
                self.codec, self.bitrate_bps, self.bit_depth, self.channels, self.sample_rate
            )
            if wrong:
                raise ValueError(wrong)
        return self


class EncodeSettings(Contract):
    """Everything that shapes the output's bytes, apart from the source."""

    preset: str
    video: VideoSettings
    audio: AudioSettings
    container: Container
