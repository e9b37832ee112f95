"""Facts about media: what a probe finds, and what a result tells."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from longtake.contracts.base import Rational, Report


class HdrLight(Report):
    """Static metadata of HDR: of the display on which a film was mastered (SMPTE ST 2086), and of
    its own light (CTA-861.3). What is not told is None."""

    chromaticity: tuple[int, ...] | None = None
    """x and y of the display's red, green, blue and white, in steps of 0.00002."""
    luminance: tuple[int, ...] | None = None
    """The display's least and greatest, in steps of 0.0001 cd/m2."""
    max_cll: int | None = None
    """Of the brightest pixel, in cd/m2."""
    max_fall: int | None = None
    """Mean of the brightest frame, in cd/m2."""


class VideoFacts(Report):
    """A video stream, as it is stored."""

    index: int
    codec: str
    profile: str | None = None
    width: int
    height: int
    pixel_format: str
    frame_rate: Rational | None = None
    """Average frames per second; None when it is not known."""
    frames: int
    """Counted by demuxing, not read from a header."""
    start_s: float
    """Presentation time of the first frame, in seconds on the file's own clock."""
    duration_s: float
    time_base: Rational
    bitrate_bps: int | None = None
    rotation: int = 0
    """Degrees clockwise by which a player turns the picture: 0, 90, 180, 270."""
    sample_aspect: Rational = Fraction(1)
    color_range: str | None = None
    color_primaries: str | None = None
    color_transfer: str | None = None
    color_space: str | None = None
    peak_nits: int | None = None
    """Brightest light that HDR metadata name, in cd/m2: the content's, else its master's."""
    interlaced: bool = False
    variable_frame_rate: bool = False
    keyframes: int
    """Keyframes at which a decoder can start."""
    longest_gop_s: float
    b_frames: bool = False
    """Whether frames are stored in another order than they are shown."""
    open_gop: bool = False
    """Whether frames that are shown before a keyframe are stored behind it."""
    hidden_frames: int = 0
    """Frames that an edit list hides."""
    damaged_packets: int = 0
    """Packets that are not whole, or were garbled on the way, as far as the container knows."""
    hdr_light: str | None = None
    """Static HDR metadata in words: the mastering display, MaxCLL and MaxFALL."""
    light: HdrLight | None = None
    """The same in numbers."""
    header_sha256: str | None = None
    """Of what a decoder is told before the first frame: alike, streams can be joined as they
    are."""


class AudioFacts(Report):
    """An audio stream."""

    index: int
    codec: str
    profile: str | None = None
    channels: int
    layout: str
    sample_rate: int
    bits: int | None = None
    """Of a sample, where the codec keeps samples; None where it does not."""
    start_s: float
    duration_s: float
    bitrate_bps: int | None = None
    language: str | None = None
    title: str | None = None
    default: bool = False
    commentary: bool = False
    described: bool = False
    """Whether it tells what is seen, for those who do not see it."""
    damaged_packets: int = 0
    """As of a video stream."""


class OtherStream(Report):
    """A stream that is neither: subtitles, data, attachments, cover art."""

    index: int
    kind: Literal["subtitle", "data", "attachment", "cover", "unknown"]
    codec: str
    name: str | None = None
    """An attachment's file name; else its title or language."""
    language: str | None = None
    title: str | None = None
    forced: bool = False
    """Of subtitles: only what all viewers need, such as the words of a foreign sign."""
    hearing_impaired: bool = False
    """Of subtitles: they tell sounds, too, for those who do not hear them."""
    early: bool = False
    """Of subtitles: they begin before picture and sound."""
    unreadable: bool = False
    """Of a cover: nobody can show it, for it is damaged, too large, or of a rare kind."""


class Chapter(Report):
    """A chapter mark."""

    start_s: float
    end_s: float
    title: str | None = None


class MediaFacts(Report):
    """A media file. Durations are measured from packets, in seconds."""

    container: str
    """FFmpeg's name of the demuxer, such as `mov,mp4,m4a,3gp,3g2,mj2`."""
    duration_s: float
    start_s: float
    """When the earliest picture is shown or sound heard, in seconds on the file's own clock."""
    early_text_s: float = 0.0
    """So long before picture and sound a text track begins, if that is less than a second."""
    bytes: int
    video: tuple[VideoFacts, ...] = ()
    audio: tuple[AudioFacts, ...] = ()
    other: tuple[OtherStream, ...] = ()
    tags: dict[str, str] = {}
    chapters: tuple[Chapter, ...] = ()
    """The first of them, with their titles."""
    chapter_count: int = 0
    index_first: bool | None = None
    """Whether an MP4 can be played while it is fetched; None for other containers."""
    warnings: tuple[str, ...] = ()
