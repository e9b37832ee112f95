"""The options of commands: what they take, and how `--help` explains them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from longtake.contracts.encode import AudioCodec, Speed, VideoCodec
from longtake.contracts.job import GpuUse
from longtake.contracts.picture import Deinterlace as DeinterlaceChoice
from longtake.contracts.picture import Denoise as DenoiseChoice
from longtake.contracts.picture import Hdr, Position


def _picture(words: str | None = None, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Picture")


def _sound(words: str | None = None, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Sound")


def _chapters(words: str, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, rich_help_panel="Chapters")


def _envelope(*names: str, words: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=words, metavar=metavar, rich_help_panel="The job")


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start, and return at once.")]

Input = Annotated[str, typer.Argument(help="Media file to read.", metavar="IN")]
Output = Annotated[
    str,
    typer.Option(
        "-o", "--output", help="File to make; its suffix is the container.", metavar="OUT"
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        *("-p", "--preset"), help="A name of `longtake presets`, or a file.", metavar="NAME|YAML"
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]
Salvage = Annotated[
    bool, typer.Option("--salvage", help="Take what is there of a file whose end is missing.")
]
Start = Annotated[
    str | None, typer.Option(help="Where the clip begins: 90.5 or 1:30.5.", metavar="TIME")
]
End = Annotated[str | None, typer.Option(help="Where the clip ends.", metavar="TIME")]

Chapters = Annotated[
    Literal["detect", "black", "silence"] | None,
    _chapters("Find chapters by breaks: black that is silent, or one of both."),
]
BlackLength = Annotated[str | None, _chapters("Shortest black of a break.", "SECONDS")]
SilenceLength = Annotated[str | None, _chapters("Shortest silence of a break.", "SECONDS")]
SilenceLevel = Annotated[float | None, _chapters("Peak up to which sound is silent; -50.", "DBFS")]
ShortestChapter = Annotated[str | None, _chapters("Default: 60.", "SECONDS")]

Video = Annotated[VideoCodec | None, _picture()]
Crf = Annotated[float | None, _picture("Quality, on the codec's scale; 0 is lossless.")]
QualityTarget = Annotated[str | None, _picture("Score to reach: vmaf:95.", "vmaf:N")]
Bitrate = Annotated[str | None, _picture("Rate to aim at, in two passes: 4M.", "RATE")]
Height = Annotated[int | None, _picture("Bound for the shorter side in pixels.")]
Upscale = Annotated[
    bool, typer.Option("--upscale", help="Let --height enlarge.", rich_help_panel="Picture")
]
EncoderSpeed = Annotated[
    Speed | None, _picture("The encoder's own: medium, slow; 0 to 13.", "NAME")
]
Profile = Annotated[str | None, _picture("Of H.264 or ProRes: high, 4444.", "NAME")]
PixelFormat = Annotated[str | None, _picture("yuv420p, yuv420p10 or source.", "FORMAT")]
MaxBitrate = Annotated[str | None, _picture("Cap, such as 4M.", "RATE")]
KeyframeInterval = Annotated[str | None, _picture("Longest way between keyframes.", "SECONDS")]

Crop = Annotated[str | None, _picture("auto, or WIDTH:HEIGHT:LEFT:TOP.", "CROP")]
Fit = Annotated[str | None, _picture("Size to fit in, such as 1280x720.", "SIZE")]
Pad = Annotated[str | None, _picture("Exact size, the rest black.", "SIZE")]
Deinterlace = Annotated[DeinterlaceChoice | None, _picture("auto: where it is interlaced.")]
FrameRate = Annotated[str | None, _picture("Constant rate at most: 30, 30000/1001.", "RATE")]
Denoise = Annotated[DenoiseChoice | None, _picture("Average noise over time.")]
HdrUse = Annotated[Hdr | None, _picture("auto: kept where there are bits for it.")]
WatermarkImage = Annotated[str | None, _picture("PNG over the picture.", "PNG")]
WatermarkPosition = Annotated[Position | None, _picture("Default: bottom-right.")]
WatermarkMargin = Annotated[float | None, _picture("1 is the shorter side; default 0.03.")]
WatermarkOpacity = Annotated[float | None, _picture("1 is the image as it is.")]
WatermarkWidth = Annotated[float | None, _picture("1 is the picture's width; default 0.15.")]
CaptionSource = Annotated[
    str | None, _picture("Burn in an SRT, WebVTT or ASS file, or stream N.", "FILE|N")
]

Audio = Annotated[AudioCodec | None, _sound()]
AudioTrack = Annotated[
    list[str] | None,
    typer.Option(
        "--audio-track",
        help="Number (from 1), language, or all; may be repeated.",
        metavar="TRACK",
        rich_help_panel="Sound",
    ),
]
TakeSide = Annotated[Literal["left", "right"] | None, _sound("This channel alone, on both sides.")]
BitDepth = Annotated[int | None, _sound("16 or 24, for flac and pcm.")]
AudioBitrate = Annotated[str | None, _sound("Such as 128k.", "RATE")]
Channels = Annotated[int | None, _sound("At most so many; more are mixed down.")]
SampleRate = Annotated[int | None, _sound("Hz.")]

Id = Annotated[str | None, _envelope("--id", words="Default: from the content.", metavar="ID")]
Priority = Annotated[int | None, _envelope(words="1 runs first, 5 last; default 3.")]
Tenant = Annotated[str | None, _envelope(words="Tenants share workers fairly.", metavar="NAME")]
Label = Annotated[
    list[str] | None, _envelope("--label", words="May be repeated.", metavar="KEY=VALUE")
]
Deadline = Annotated[str | None, _envelope(words="2h, or a date and time.", metavar="WHEN")]
Group = Annotated[str | None, _envelope(words="Extra group of workers.", metavar="NAME")]
Notify = Annotated[
    list[str] | None,
    _envelope("--notify", words="Webhook, signed by a secret's name.", metavar="[NAME=]URL"),
]
Chunk = Annotated[
    str | None,
    _envelope(words="Length of every chunk, up to the next keyframe.", metavar="SECONDS"),
]
Gpu = Annotated[GpuUse | None, _envelope(words="Default: never.")]
