"""The plan of a transcode: everything that shapes the output's bytes, so its parts are the content
keys. `media.transcode.planning` makes it.
"""

from __future__ import annotations

import math
from fractions import Fraction

from longtake.contracts.base import Contract, Rational
from longtake.contracts.containers import Container
from longtake.contracts.encode import AudioSettings, VideoSettings
from longtake.contracts.media import Chapter, HdrLight
from media.ffmpeg.filter_files import FilterFiles
from media.picture.watermark import Mark
from media.tags.carry import Carried
from media.transcode.chunks import Chunk


class Grid(Contract):
    """Constant frame rate. Tick `n` lies `n / rate` seconds after the first frame, in the whole
    film and not in each chunk, so that chunks meet on it."""

    rate: Rational
    first_pts: int
    time_base: Rational
    """Of the source."""
    frames: int

    def tick(self, pts: int) -> int:
        """The nearest tick of a source time; halves go up, as FFmpeg's `fps` rounds them."""
        return math.floor((pts - self.first_pts) * self.time_base * self.rate + Fraction(1, 2))


class VideoPlan(Contract):
    """The picture: copied as it is, or encoded in chunks."""

    stream: int
    codec: str
    """The source's."""
    copied: bool
    time_base: Rational
    start_s: Rational
    """Where the first frame lies on the output's clock, in seconds."""
    frames: int
    first_pts: int = 0
    encoder: str = "h264"
    """A name in `media.encoders`."""
    frame_rate: Rational | None = None
    turned_late: bool = False
    """Whether `temporal` turns the picture upright, which else happens as it is read."""
    temporal: tuple[str, ...] = ()
    """Filters that look at neighbouring frames; they come first, and their run-in is cut off."""
    reach: int = 0
    """So many frames on each side they look at."""
    grid: Grid | None = None
    """The frames' times where their rate becomes constant."""
    filters: tuple[str, ...] = ()
    files: FilterFiles = FilterFiles()
    mark: Mark | None = None
    pixel_format: str = ""
    level: str | None = None
    """Which its encoder is told; None: it finds the least that does."""
    light: HdrLight | None = None
    """What the encoder is told of HDR's light. FFmpeg tells it what stands on the frames, but of a
    command's first output alone."""
    gop_frames: int | None = None
    keyframes_forced: bool = False
    """Whether keyframes lie where the command says, and nowhere else."""
    threads: int = 1
    hastened: tuple[int, ...] = ()
    """Numbers of the chunks that are encoded with twice as many."""
    settings: VideoSettings = VideoSettings()
    varied: bool = False
    """Whether chunks have a quality each; their headers agree all the same."""
    chunks: tuple[Chunk, ...] = ()
    size: tuple[int, int] | None = None
    """Width and height of an animated image, in pixels."""
    exact: bool = True
    """Whether the index is ground truth for every frame's time."""


class AudioPlan(Contract):
    """A sound track: copied as it is, or encoded whole."""

    stream: int
    copied: bool
    codec: str
    """The source's."""
    source_channels: int
    source_layout: str
    sample_rate: int = 48_000
    channels: int = 2
    bits: int = 16
    """Of a sample, where the codec keeps samples."""
    finer: bool = False
    """Whether the samples that are rounded to `bits` have more."""
    length_s: float = 0.0
    """From zero on the output's clock to the end of the sound, in seconds."""
    language: str | None = None
    title: str | None = None
    default: bool = False
    settings: AudioSettings = AudioSettings()

    @property
    def loses_sound(self) -> bool:
        """Whether what comes out is not what went in, sample by sample."""
        return not self.copied and self.settings.codec not in ("flac", "pcm")


class Plan(Contract):
    """What will be done to a source. Times are seconds on the source's own clock."""

    demuxer: str
    container: Container
    origin_s: Rational
    """What becomes zero in the output: the start of the file, or of the clip."""
    end_s: Rational | None
    least_s: Rational | None = None
    """From `origin_s` on, so long is every sound at least: silence is put behind shorter ones."""
    early_text_s: Rational = Fraction()
    """So long before picture and sound of the source FFmpeg begins to count, for its text."""
    video: VideoPlan | None
    audio: tuple[AudioPlan, ...]
    carried: tuple[Carried, ...] = ()
    tags: tuple[str, ...] = ()
    """Names of the source's tags."""
    untrue: tuple[str, ...] = ()
    """Names of those that are left out, for the output makes them untrue."""
    chapters: int = 0
    """How many chapters the source has."""
    keeps_chapters: bool = False
    marks: tuple[Chapter, ...] = ()
    """The chapters where they are written as tags."""
    media_s: float
    decisions: dict[str, str]
    warnings: tuple[str, ...]

    def of_chunk(self, number: int) -> Plan:
        """The plan as one chunk is encoded, with threads of its own."""
        video = self.picture
        if number not in video.hastened:
            return self
        return self.model_copy(
            update={"video": video.model_copy(update={"threads": 2 * video.threads})}
        )

    @property
    def picture(self) -> VideoPlan:
        """The picture, for steps that are only taken where there is one. Raises ValueError."""
        if self.video is None:
            raise ValueError("the plan has no picture")
        return self.video


class Clip(Contract):
    """In and out of the source, in seconds from its start."""

    start: Rational | None = None
    end: Rational | None = None
