"""What a package holds, as plain data: made by readers in a child process, judged by the rules.

Paths are from the package's root, with `/`. Times of media are whole ticks of the track's time
scale; times of manifests are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from longtake.contracts.check import RuleFinding

Kind = Literal["video", "audio", "text"]


@dataclass(frozen=True)
class Protection:
    """Common encryption of a track (ISO/IEC 23001-7): boxes schm and tenc."""

    scheme: str
    key_id: str
    """default_KID, 32 hex digits."""
    iv_size: int
    """Bytes of each sample's IV; 0: all samples have the constant one."""
    constant_iv: str | None
    """Hex digits."""
    pattern: tuple[int, int]
    """Blocks of 16 bytes that are encrypted, and that are skipped; (0, 0): all are encrypted."""


@dataclass(frozen=True)
class Track:
    """The (only) track that an init segment describes."""

    kind: Kind
    number: int
    timescale: int
    """Ticks a second."""
    entry: str
    """Type of the sample entry; of an encrypted one, what it was before."""
    codec: str
    """As in CODECS (RFC 6381)."""
    config: bytes
    """The codec's configuration record; empty where it has none."""
    brands: tuple[str, ...] = ()
    """Of ftyp: the specifications that the file says it keeps."""
    media_time: int = 0
    """Ticks that an edit list cuts from the start."""
    width: int = 0
    height: int = 0
    aspect: Fraction = Fraction(1)
    """Width of a pixel by its height."""
    primaries: int | None = None
    transfer: int | None = None
    """Colour primaries and transfer characteristics (ITU-T H.273) of the colr box."""
    channels: int = 0
    sample_rate: int = 0
    sample_duration: int = 0
    """Default of trex, as are size and flags."""
    sample_size: int = 0
    sample_flags: int = 0
    protection: Protection | None = None


@dataclass(frozen=True)
class Fragment:
    """A moof with its mdat."""

    begin: int
    """First byte of the moof, in its file."""
    end: int
    """Byte behind the mdat."""
    start: int
    """Decode time of the first sample (tfdt)."""
    duration: int
    samples: int
    keyframes: int
    """Samples that their flags call sync samples."""
    starts_with_key: bool
    first_time: int
    """When the first sample is shown."""
    earliest: int
    """When the first frame is shown: before the first sample only in an open GOP."""
    shortest: int
    longest: int
    """Durations of samples."""
    data: int
    """First byte of the first sample."""
    first_size: int
    has_iv: bool = False
    """Whether boxes tell each sample's encryption (senc, or saiz and saio)."""
    is_relative: bool = False
    """Whether places are told from the moof on, so that it does not matter where the file lies."""


@dataclass(frozen=True)
class Segment:
    """A media segment."""

    path: str
    begin: int
    """In its file: 0, unless a playlist names a byte range."""
    bytes: int
    fragments: tuple[Fragment, ...] = ()
    index: tuple[int, int] | None = None
    """Earliest presentation time and duration that a sidx tells."""
    start_kind: Literal["closed", "open", "none"] | None = None
    """What the first sample is to a decoder: a keyframe that nothing after it reaches behind
    (IDR), a recovery point of an open GOP, or no place to start; None where it is not known."""

    @property
    def start(self) -> int:
        """Decode time of the first sample."""
        return self.fragments[0].start

    @property
    def end(self) -> int:
        """Decode time behind the last sample."""
        return self.fragments[-1].start + self.fragments[-1].duration

    @property
    def earliest(self) -> int:
        """When the first frame is shown."""
        return min(fragment.earliest for fragment in self.fragments)

    @property
    def samples(self) -> int:
        """Frames of picture, or of sound."""
        return sum(fragment.samples for fragment in self.fragments)

    def presented(self, track: Track) -> tuple[int, int]:
        """When it is shown, from tick to tick: composition offsets and the edit list applied.

        So do sidx, SegmentTimeline and EXTINF count (14496-12, 8.16.3; 23009-1, 7.3.2).
        """
        later = self.earliest - self.start - track.media_time
        return max(self.start + later, 0), self.end + later


@dataclass(frozen=True)
class Cue:
    """A caption of WebVTT, in seconds of its file's clock."""

    start: Fraction
    end: Fraction
    text: str


@dataclass(frozen=True)
class Captions:
    """A WebVTT segment."""

    path: str
    bytes: int
    cues: tuple[Cue, ...] = ()
    timestamp_map: Fraction | None = None
    """X-TIMESTAMP-MAP: seconds from the file's clock to that of the media; None without one."""


@dataclass(frozen=True)
class Key:
    """EXT-X-KEY."""

    method: str
    uri: str | None
    iv: str | None
    key_format: str | None
    versions: str | None


@dataclass(frozen=True)
class Piece:
    """A segment as a playlist names it."""

    uri: str
    path: str | None
    """None where the URI leaves the package, or nothing lies there."""
    duration: Fraction
    """EXTINF."""
    span: tuple[int, int] | None
    """Byte range: first byte, byte behind the last."""
    init: str | None
    """Path of the init segment (EXT-X-MAP)."""
    key: Key | None

    @property
    def segment(self) -> str | None:
        """Under what its segment stands in a package."""
        if self.path is None or self.span is None:
            return self.path
        return f"{self.path}@{self.span[0]}"

    @property
    def is_opaque(self) -> bool:
        """Whether the whole file is encrypted, so that nothing of it can be read."""
        return self.key is not None and self.key.method == "AES-128"


@dataclass(frozen=True)
class Playlist:
    """A media playlist."""

    path: str
    version: int
    target: int | None
    kind: str | None
    """EXT-X-PLAYLIST-TYPE."""
    ended: bool
    iframes_only: bool
    independent: bool
    has_map: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Stream:
    """EXT-X-STREAM-INF, or EXT-X-I-FRAME-STREAM-INF, and its playlist's path."""

    where: str
    path: str | None
    attributes: dict[str, str]
    """As they are written, without quotes."""
    iframes: bool = False


@dataclass(frozen=True)
class Media:
    """EXT-X-MEDIA."""

    where: str
    path: str | None
    attributes: dict[str, str]


@dataclass(frozen=True)
class Master:
    """The multivariant playlist."""

    path: str
    version: int
    independent: bool
    streams: tuple[Stream, ...]
    media: tuple[Media, ...]


@dataclass(frozen=True)
class Span:
    """A segment as a DASH manifest names it, in ticks of its template."""

    uri: str
    path: str | None
    start: int
    duration: int


@dataclass(frozen=True)
class ContentProtection:
    """A ContentProtection element."""

    scheme: str
    """schemeIdUri."""
    value: str | None
    key_id: str | None
    """cenc:default_KID, hex digits alone."""


@dataclass(frozen=True)
class Representation:
    """A representation, with what it inherits."""

    name: str
    attributes: dict[str, str]
    protections: tuple[ContentProtection, ...]
    channels: str | None
    timescale: int | None
    """None where the template does not tell it."""
    offset: int
    """presentationTimeOffset."""
    init: str | None
    init_uri: str | None
    spans: tuple[Span, ...]
    addressed: bool
    """Whether segments are named by a SegmentTemplate with a SegmentTimeline."""


@dataclass(frozen=True)
class AdaptationSet:
    """An adaptation set."""

    name: str
    attributes: dict[str, str]
    representations: tuple[Representation, ...]
    roles: tuple[str, ...] = ()
    """Values of DASH's own scheme."""
    properties: dict[str, str] = field(default_factory=dict)
    """Supplemental and essential ones: values by scheme."""


@dataclass(frozen=True)
class Mpd:
    """A DASH manifest; only the first period's sets."""

    path: str
    attributes: dict[str, str]
    periods: int
    period: dict[str, str]
    sets: tuple[AdaptationSet, ...]


@dataclass(frozen=True)
class Listed:
    """A file as package.json lists it."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Keyframe:
    """Where a coded picture lies."""

    path: str
    begin: int
    size: int


@dataclass(frozen=True)
class Picture:
    """What decoding a keyframe told."""

    width: int
    height: int
    primaries: int
    transfer: int
    is_interlaced: bool
    has_light: bool
    """Whether it tells of its mastering display or of light levels (HDR10)."""


@dataclass
class Package:
    """All that was read of a package, and what was found on the way."""

    root: str
    master: Master | None = None
    playlists: dict[str, Playlist] = field(default_factory=dict)
    mpd: Mpd | None = None
    tracks: dict[str, Track] = field(default_factory=dict)
    """By path of the init segment."""
    segments: dict[str, Segment] = field(default_factory=dict)
    """By path; those that are byte ranges by `path@first byte`."""
    captions: dict[str, Captions] = field(default_factory=dict)
    findings: list[RuleFinding] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    """First keyframes that were decoded, by path of the init segment."""

    @property
    def is_encrypted(self) -> bool:
        """Whether a playlist or an init segment says that anything is."""
        pieces = (piece for playlist in self.playlists.values() for piece in playlist.pieces)
        return any(piece.key for piece in pieces) or any(
            track.protection for track in self.tracks.values()
        )
