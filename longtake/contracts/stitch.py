"""The job `Stitch`: recordings in, one finished programme out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from longtake.contracts.base import Contract, Seconds, Uri, spelt
from longtake.contracts.encode import BitRate, Crf, SampleRate, Speed
from longtake.contracts.job import Job
from longtake.contracts.loudness import Aim, LevelMode, Target, aim_at
from longtake.contracts.picture import FrameRate, Size
from longtake.contracts.sound import why_wrong_rate
from longtake.paths import shown

MOST_PARTS = 100
MOST_OUTPUTS = 8

Role = Literal["speech", "bumper", "music-bed"]
Curve = Literal[
    "tri", "qsin", "esin", "hsin", "log", "ipar", "qua", "cub", "squ", "cbr", "par", "exp",
    "iqsin", "ihsin", "dese", "desi", "losi", "sinc", "isinc", "quat", "quatr", "qsin2", "hsin2",
    "nofade",
]  # fmt: skip
"""Named as in FFmpeg's `afade`."""
Beside = Literal["chapters", "peaks", "waveform"]
FilmCodec = Literal["h264", "hevc"]
StitchCodec = Literal["mp3", "aac", "opus", "flac", "pcm"]

CODEC_OF_SUFFIX: dict[str, StitchCodec] = {
    ".mp3": "mp3",
    ".m4a": "aac",
    ".opus": "opus",
    ".ogg": "opus",
    ".flac": "flac",
    ".wav": "pcm",
}
FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
"""Outputs with the parts' pictures; their sound is AAC."""
_BESIDE: dict[Beside, str] = {
    "chapters": ".chapters.json",
    "peaks": ".peaks.json",
    "waveform": ".waveform.png",
}

Loudness = Annotated[float, Field(ge=-50, le=-5)] | Literal["keep"]
Gain = Annotated[float, Field(ge=-60, le=40)]
_NAME = r"[a-z0-9][a-z0-9-]{0,39}"
PartName = Annotated[
    str,
    spelt(_NAME, "use small letters, digits and -, 40 at most, not - first, such as caller-2"),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]


class Trim(Contract):
    """What silence is taken out of a part. Silence is what lies below the threshold."""

    head: bool = Field(default=True, description="Before the first sound.")
    tail: bool = Field(default=True, description="Behind the last sound.")
    longest_pause_s: Annotated[Seconds, Field(ge=Fraction(1, 10), le=60)] | None = Field(
        default=None, description="Longer pauses are shortened to this. Left out: none is."
    )
    threshold_dbfs: Annotated[float, Field(ge=-90, le=-10)] | None = Field(
        default=None, description="RMS level of 20 ms. Left out: relative to the noise floor."
    )
    above_floor_db: Annotated[float, Field(ge=3, le=40)] = Field(
        default=12,
        description="Threshold over the part's own noise floor, but at least 20 dB below its "
        "loud passages.",
    )
    keep_s: Annotated[Seconds, Field(le=10)] = Field(
        default=Fraction(1, 10), description="Silence that stays at head and tail."
    )


class Fade(Contract):
    """A fade from or to silence."""

    length_s: Annotated[Seconds, Field(gt=0, le=60)]
    curve: Curve = Field(default="tri", description="As in FFmpeg's afade.")


class Join(Contract):
    """How a part follows the one before it: at once, after a gap, or faded into it."""

    gap_s: Annotated[Seconds, Field(le=60)] = Field(
        default=Fraction(), description="Silence between them."
    )
    crossfade_s: Annotated[Seconds, Field(le=60)] = Field(
        default=Fraction(),
        description="How long they overlap; at most half of the shorter one.",
    )
    curve_out: Curve = Field(default="qsin", description="Of the part before.")
    curve_in: Curve = Field(
        default="qsin", description="Of this part. qsin keeps the level of different sounds."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Join:
        if self.gap_s and self.crossfade_s:
            raise ValueError("gap_s and crossfade_s contradict each other: drop one")
        return self


def _trimmed(trim: object) -> object:
    if trim is not None and trim is not False and not isinstance(trim, Mapping | Trim):
        raise ValueError("trim is an object: {} for both ends, {longest_pause_s: 1}; or false")
    return trim


class PartOptions(Contract):
    """What is done to a part. What is left out, the preset decides for the part's role."""

    trim: Annotated[Trim | Literal[False] | None, BeforeValidator(_trimmed)] = Field(
        default=None, description="Silence to take out; false: none, whatever the preset says."
    )
    loudness_lufs: Loudness | None = Field(
        default=None,
        description="Its own loudness in the mix, by one gain, or keep. Left out: that of the "
        "whole; of a music-bed 8 LU less.",
    )
    gain_db: Gain | None = Field(default=None, description="On top of that.")
    fade_in: Fade | None = None
    fade_out: Fade | None = None
    duck_db: Annotated[float, Field(ge=0, le=18)] | None = Field(
        default=None,
        description="Of a music-bed: how far it goes down under speech; default 10.",
    )


class Part(PartOptions):
    """A part of the timeline."""

    source: Uri = Field(
        description="Its default sound track is taken, and its picture where an output has one."
    )
    start: Seconds | None = Field(default=None, description="Clip in; included.")
    end: Seconds | None = Field(default=None, description="Clip out; not included.")
    role: Role = Field(
        default="speech",
        description="speech, bumper, or music-bed: this lies under the parts behind it, takes no "
        "time of its own, and is repeated as often as it takes.",
    )
    under: Annotated[int, Field(ge=1, le=MOST_PARTS)] | None = Field(
        default=None, description="Of a music-bed: under how many parts. Left out: all behind it."
    )
    chapter: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Title of a chapter that begins here."
    )
    name: PartName | None = Field(
        default=None, description="In the name of its own file; left out, its number."
    )
    join: Join | None = Field(
        default=None, description="How it follows the part before; left out, the job's."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Part:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end} s) must lie behind start ({self.start} s)")
        if self.role != "music-bed" and (self.under is not None or self.duck_db is not None):
            raise ValueError("under and duck_db are of a music-bed: leave them out")
        if self.role == "music-bed" and (self.chapter or self.join or self.trim):
            raise ValueError("a music-bed has neither chapter nor join nor trim: leave them out")
        return self


def _of_its_source(part: object) -> object:
    if isinstance(part, str):
        return {"source": part}
    if not isinstance(part, Mapping | Part):
        raise ValueError("a part is its source, or an object: {source: caller.wav, start: 3}")
    return part


class StitchOutput(Contract):
    """A file to make of the whole."""

    uri: Uri = Field(
        description=f"Its suffix decides the format: {', '.join(CODEC_OF_SUFFIX)}; with the "
        f"parts' pictures {', '.join(FILM_SUFFIXES)}."
    )
    bitrate_bps: BitRate | None = Field(
        default=None, description="Left out: mp3 160,000, aac 128,000, opus 96,000."
    )
    vbr: Annotated[int, Field(ge=0, le=9)] | None = Field(
        default=None,
        description="Variable bit rate of mp3, on LAME's scale: 0 is the best, 9 the smallest.",
    )
    bit_depth: Literal[16, 24] | None = Field(
        default=None, description="Of flac and pcm; left out, 16."
    )

    @property
    def suffix(self) -> str:
        """In small letters."""
        return PurePosixPath(shown(self.uri)).suffix.lower()

    @property
    def film(self) -> bool:
        """Whether the pictures are in it."""
        return self.suffix in FILM_SUFFIXES

    @property
    def codec(self) -> StitchCodec:
        """What its suffix asks of the sound. Raises ValueError for one that is not known."""
        suffix = self.suffix
        if suffix not in CODEC_OF_SUFFIX and not self.film:
            ends = f"ends in {suffix!r}" if suffix else "has no suffix"
            known = ", ".join((*CODEC_OF_SUFFIX, *FILM_SUFFIXES))
            raise ValueError(f"output {ends}: use one of {known}")
        return "aac" if self.film else CODEC_OF_SUFFIX[suffix]

    @model_validator(mode="after")
    def _fits_the_codec(self) -> StitchOutput:
        codec = self.codec
        if self.vbr is not None and codec != "mp3":
            raise ValueError(f"vbr is for mp3; {codec} has none: leave it out")
        if self.vbr is not None and self.bitrate_bps is not None:
            raise ValueError("vbr and bitrate_bps contradict each other: drop one")
        if self.bitrate_bps is not None and (why := why_wrong_rate(codec, self.bitrate_bps)):
            raise ValueError(why)
        if self.bit_depth is not None and codec not in ("flac", "pcm"):
            raise ValueError(f"bit_depth is for flac and pcm; {codec} has none: leave it out")
        return self


class FilmOptions(Contract):
    """How pictures of all kinds become one."""

    codec: FilmCodec | None = Field(
        default=None, description="h264 or hevc; left out, the first part's, or h264."
    )
    crf: Crf | None = Field(default=None, description="Constant quality; left out, the codec's.")
    speed: Speed | None = Field(default=None, description="The encoder's own preset.")
    size: Size | None = Field(
        default=None,
        description="WIDTHxHEIGHT; left out, that of the first part. Other shapes are fitted in, "
        "on black.",
    )
    frame_rate: FrameRate | None = Field(
        default=None, description="Frames per second; left out, those of the first part."
    )


class StitchOptions(Contract):
    """What a job or a preset says of the whole. What is left out, the preset decides."""

    join: Join | None = Field(
        default=None, description="Of all parts that say nothing else; left out, at once."
    )
    target: Target | None = Field(default=None, description="As for Normalize; left out, podcast.")
    loudness_lufs: Annotated[float, Field(ge=-50, le=-5)] | None = Field(
        default=None, description="Integrated loudness, instead of the target's."
    )
    true_peak_dbtp: Annotated[float, Field(ge=-9, le=0)] | None = Field(
        default=None, description="Highest true peak, instead of the target's."
    )
    mode: LevelMode | None = Field(
        default=None, description="linear, limit or dynamic, as for Normalize; left out, limit."
    )
    channels: Literal[1, 2] | None = Field(
        default=None, description="Left out: 2, or 1 where every part has one."
    )
    sample_rate: SampleRate | None = Field(
        default=None, description="Hz. Left out: 44,100, or 48,000 where a part has more."
    )
    picture: FilmOptions | None = Field(
        default=None, description="Of an output with the parts' pictures; see there."
    )
    segments: bool | tuple[Role, ...] | None = Field(
        default=None,
        description="Each prepared part as a file of its own beside the first output, at the "
        "same loudness: true, or only parts of these roles.",
    )
    beside: tuple[Beside, ...] | None = Field(
        default=None,
        description="Files beside the first output: chapters (Podcasting 2.0 JSON), peaks "
        "(audiowaveform's JSON), waveform (PNG).",
    )


class StitchPreset(StitchOptions):
    """A named choice, as it stands in `presets/stitch/NAME.yaml` or a user's file."""

    title: str = Field(description="What it is, in a few words.")
    audience: str = Field(description="For whom it is.")
    speech: PartOptions = PartOptions()
    bumper: PartOptions = PartOptions()
    music_bed: PartOptions = PartOptions()
    bitrates_bps: dict[StitchCodec, BitRate] = Field(
        default={}, description="Bit rate by codec, where an output says nothing."
    )


class Stitch(Job, StitchOptions):
    """Join recordings to one programme: trimmed, levelled, faded, encoded, tagged.

    `{"timeline": [URI, {"source": URI, …}, …], "outputs": [{"uri": URI}]}`.
    """

    READS: ClassVar[tuple[str, ...]] = ("timeline.source", "cover")
    WRITES: ClassVar[tuple[str, ...]] = ("outputs.uri",)
    COUNTS: ClassVar[str] = "steps"

    kind: Literal["stitch"] = "stitch"
    timeline: tuple[
        Annotated[Part, BeforeValidator(_of_its_source, json_schema_input_type=Uri | Part)], ...
    ] = Field(
        description=f"The parts, one after the other; 1 to {MOST_PARTS}. A string is the source "
        "of a part of which there is no more to say."
    )
    outputs: tuple[StitchOutput, ...] = Field(
        description=f"The files to make of the whole; 1 to {MOST_OUTPUTS}."
    )
    preset: str | StitchPreset | None = Field(
        default=None, description="Name of a preset, or a whole preset."
    )
    tags: dict[str, Annotated[str, Field(max_length=4000, coerce_numbers_to_str=True)]] = Field(
        default={},
        max_length=50,
        description="title, artist, album, album_artist, date, genre, track, comment, and others.",
    )
    cover: Uri | None = Field(default=None, description="A JPEG or PNG.")
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Stitch:
        if self.gpu != "never":
            raise ValueError("sound is joined by CPU workers: leave gpu out")
        if not 1 <= len(self.timeline) <= MOST_PARTS:
            raise ValueError(f"a timeline has 1 to {MOST_PARTS} parts, not {len(self.timeline)}")
        if not 1 <= len(self.outputs) <= MOST_OUTPUTS:
            raise ValueError(f"there are 1 to {MOST_OUTPUTS} outputs, not {len(self.outputs)}")
        if all(part.role == "music-bed" for part in self.timeline):
            raise ValueError("a timeline needs a part that is no music-bed")
        if self.timeline[-1].role == "music-bed":
            raise ValueError("a music-bed lies under the parts behind it, and here are none")
        if sum(output.film for output in self.outputs) > 1:
            raise ValueError("one output may have the pictures: drop the others")
        if self.segments and self.outputs[0].film:
            raise ValueError(
                "segments are files of sound, in the form of the first output: name one of sound "
                "first"
            )
        if set(self.files) & set(self.sources):
            raise ValueError("outputs must be files of their own, none of them a source")
        files = self.files
        twice = [uri for n, uri in enumerate(files) if uri in files[:n]]
        if twice:
            raise ValueError(f"two files would be called {twice[0]}: give the parts other names")
        return self

    @property
    def preset_name(self) -> str | None:
        """What the job's preset is called; None without one."""
        return "inline" if isinstance(self.preset, StitchPreset) else self.preset

    @property
    def film(self) -> int | None:
        """Number of the output with the pictures; None if all are of sound alone."""
        return next((n for n, output in enumerate(self.outputs) if output.film), None)

    @property
    def line(self) -> tuple[int, ...]:
        """Numbers of the parts that follow each other: all but the music beds."""
        return tuple(n for n, part in enumerate(self.timeline) if part.role != "music-bed")

    def aim(self, channels: int) -> Aim:
        """Where the whole shall land, with so many channels."""
        aim = aim_at(self.target or "podcast", channels)
        loudness, peak = self.loudness_lufs, self.true_peak_dbtp
        return Aim(
            integrated_lufs=aim.integrated_lufs if loudness is None else loudness,
            true_peak_dbtp=aim.true_peak_dbtp if peak is None else peak,
            mode=self.mode or "limit",
        )

    @property
    def files(self) -> tuple[Uri, ...]:
        """All that is written, as far as the job says it itself."""
        segments = (self.segment_uri(number) for number in range(len(self.timeline)))
        beside = (self.beside_uri(kind) for kind in self.beside or ())
        return (*self.targets, *(uri for uri in segments if uri), *beside)

    def segment_uri(self, number: int) -> Uri | None:
        """Where a part's own file goes; None where there is none."""
        part = self.timeline[number]
        asked = self.segments or ()
        if part.role == "music-bed" or (asked is not True and part.role not in asked):
            return None
        stem, suffix = _split(self.outputs[0].uri)
        return f"{stem}-{part.name or f'{self.line.index(number) + 1:02}'}{suffix}"

    def beside_uri(self, kind: Beside) -> Uri:
        """Where a file beside the first output goes."""
        return _split(self.outputs[0].uri)[0] + _BESIDE[kind]


def _split(uri: Uri) -> tuple[str, str]:
    suffix = PurePosixPath(uri).suffix
    return uri[: len(uri) - len(suffix)], suffix
