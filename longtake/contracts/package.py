"""The job `Package`: one film in, renditions of it for streaming out, as HLS and DASH."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from longtake.contracts.base import Contract, Report, Seconds, Uri, spelt
from longtake.contracts.captions import MOST_CAPTIONS, CaptionFile
from longtake.contracts.encode import BitRate, Crf, Pixels, Speed
from longtake.contracts.job import Job
from longtake.contracts.transcribe import SpeechSettings

PackageCodec = Literal["h264", "hevc", "av1"]
PackagePart = Literal["poster", "thumbnails", "storyboard", "animation"]
Scheme = Literal["cbcs", "aes-128"]
VideoRange = Literal["SDR", "PQ", "HLG"]
"""As HLS names the transfer of light (RFC 8216bis, 4.4.6.2)."""


def _without_dashes(value: Any) -> Any:
    return value.replace("-", "").lower() if isinstance(value, str) else value


KeyId = Annotated[
    str,
    BeforeValidator(_without_dashes),
    spelt(r"[0-9a-f]{32}", "a key id is 32 hexadecimal digits, such as a UUID"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f-]{32,36}$"}),
]
"""Which key it is: no secret."""

KeyUri = Annotated[
    str,
    Field(min_length=1, max_length=4096),
    # Playlists put it between quotation marks, in a line.
    spelt(r'[^\x00-\x20"\x7f]+', "an address has no spaces or quotation marks"),
    WithJsonSchema({"type": "string", "format": "uri-reference"}),
]
"""Where players get the key."""

MOST_RUNGS = 12


CaptionFiles = Annotated[tuple[CaptionFile, ...], Field(max_length=MOST_CAPTIONS)]


def _kind_of_captions(given: Any) -> str:
    if isinstance(given, str):
        return "transcribe"
    return "speech" if isinstance(given, dict | SpeechSettings) else "files"


class Rung(Contract):
    """A rendition of the picture: one step of the ladder."""

    height: Pixels = Field(description="Of the shorter side in pixels, as in '720p'.")
    max_bitrate_bps: BitRate = Field(description="Cap in bit/s, over a buffer of two seconds.")
    codec: PackageCodec | None = Field(default=None, description="Left out: one for each codec.")
    crf: Crf | None = Field(default=None, description="Left out: the codec's own.")


class Encryption(Contract):
    """Encryption of a package with a key that is given; the key itself never stands in a job."""

    scheme: Scheme = Field(
        default="cbcs",
        description="`cbcs` (Common Encryption, for HLS and DASH) or `aes-128` (HLS alone).",
    )
    key: Uri = Field(
        description="File that holds the key: 16 bytes, or 32 hexadecimal digits; not the key."
    )
    key_uri: KeyUri = Field(description="Where players get the key: it stands in the playlists.")
    key_id: KeyId | None = Field(
        default=None, description="For `cbcs`. Left out: made from `key_uri`, always the same."
    )


class PackageOptions(Contract):
    """What a job or preset says of a package. What is left out, the preset decides."""

    codecs: tuple[PackageCodec, ...] | None = Field(
        default=None, max_length=3, description="Of the picture's renditions; none: sound alone."
    )
    ladder: Literal["fixed", "auto"] | tuple[Rung, ...] | None = Field(
        default=None,
        max_length=MOST_RUNGS,
        description="fixed: usual sizes up to the source's own. auto: short test encodes choose "
        "sizes and rates for this source. Or the rungs themselves.",
    )
    crf: dict[PackageCodec, Crf] | None = Field(
        default=None, description="Constant quality by codec, under each rung's cap."
    )
    speed: dict[PackageCodec, Speed] | None = Field(
        default=None, description="The encoder's own preset, by codec."
    )
    segment_s: Annotated[Seconds, Field(ge=1, le=20)] | None = Field(
        default=None, description="Length of a segment in seconds."
    )
    gop_s: Annotated[Seconds, Field(ge=1, le=20)] | None = Field(
        default=None, description="Distance of keyframes in seconds; segments are whole ones."
    )
    audio_bitrate_bps: BitRate | None = Field(
        default=None, description="Of stereo sound, AAC; 5.1 takes two and a half times as much."
    )
    parts: tuple[PackagePart, ...] | None = Field(
        default=None, description="Pictures beside the film: poster, thumbnails, storyboard, …"
    )


class PackagePreset(PackageOptions):
    """A named choice of options, as it stands in `presets/package/NAME.yaml` or a user's file."""

    title: str = Field(description="What it is, in a few words.")
    audience: str = Field(description="For whom it is.")


class Package(PackageOptions, Job):
    """Make a film ready for streaming: segments, HLS and DASH manifests.

    The shortest form is `{"kind": "package", "input": URI, "output": FOLDER}`.
    """

    READS: ClassVar[tuple[str, ...]] = ("input", "captions.source", "encryption.key")
    WRITES_FOLDER: ClassVar[bool] = True

    kind: Literal["package"] = "package"
    input: Uri
    output: Uri = Field(description="A folder or s3:// prefix; made if it is not there.")
    preset: str | PackagePreset | None = Field(
        default=None, description="Name of a preset, or a whole preset. Left out: hls-web."
    )
    captions: Annotated[
        Annotated[Literal["transcribe"], Tag("transcribe")]
        | Annotated[SpeechSettings, Tag("speech")]
        | Annotated[CaptionFiles, Tag("files")],
        Discriminator(_kind_of_captions),
    ] = Field(
        default=(),
        description="Beside the source's own text tracks, which are carried: files; or "
        "`transcribe`, or how it is done, to write down what is said in the default sound.",
    )
    encryption: Encryption | None = None
    overwrite: bool = Field(default=False, description="Replace a package that is there.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Package:
        if self.input == self.output:
            raise ValueError("output must be a folder, not the input")
        if self.gpu != "never":
            raise ValueError("packages are encoded by CPU workers: leave gpu out")
        return self

    @property
    def caption_files(self) -> tuple[CaptionFile, ...]:
        """Captions that lie in files."""
        return self.captions if isinstance(self.captions, tuple) else ()

    @property
    def speech(self) -> SpeechSettings | None:
        """How captions are made of what is said; None where they are not."""
        if self.captions == "transcribe":
            return SpeechSettings()
        return self.captions if isinstance(self.captions, SpeechSettings) else None

    @property
    def preset_name(self) -> str:
        """What the job's preset is called."""
        return "inline" if isinstance(self.preset, PackagePreset) else self.preset or "hls-web"


class ListedFile(Report):
    """A file of a package; `path` is from the package's root."""

    path: str
    bytes: int
    sha256: str
    content_type: str


class ListedRendition(Report):
    """A rendition of a package, and the folder that holds it."""

    name: str
    folder: str
    kind: Literal["video", "audio", "captions"]
    segments: int
    duration_s: float
    bandwidth_bps: int
    """The peak that HLS asks for (RFC 8216, 4.3.4.2)."""
    average_bandwidth_bps: int
    codecs: str
    language: str | None = None
    title: str | None = None
    group: str | None = None
    """Which sounds can take each other's place."""
    default: bool = False
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    video_range: VideoRange | None = None
    channels: int | None = None


class ListedEncryption(Report):
    """How a package is encrypted: what a player may know."""

    scheme: Scheme
    key_uri: str
    key_id: str | None = None


class Listing(Report):
    """`package.json`: every file of a package but itself, so that it can be replaced or removed."""

    version: Literal[1] = 1
    manifests: tuple[str, ...]
    """`master.m3u8`, and `manifest.mpd` where there is one: published last."""
    renditions: tuple[ListedRendition, ...]
    encryption: ListedEncryption | None = None
    files: tuple[ListedFile, ...]
