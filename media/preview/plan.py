"""The plan of a preview: which frames are shown, how large, and under which names.

A pure function of probe, index and job. Times are counted from the start of the file, as
players count them; a frame is shown from its own time until the next one's.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from longtake.contracts.base import Contract, Rational
from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.contracts.preview import Preview, PreviewPart
from longtake.errors import InputUnsupported, InvalidJob
from media.ffmpeg.filter_files import FilterFiles
from media.picture.colour import is_hdr, is_tagged, source_colour, tone_map
from media.picture.pixels import SCALER, output_size, tone_mapped_rgb
from media.probing.index import Index

MOST_THUMBNAILS = 300
MOST_SHEETS = 100
TOGETHER = 60
"""Thumbnails that one step makes."""
MOST_BYTES = 192 << 20
"""Of decoded pictures that one step of thumbnails holds."""
WIDEST = 65_500
"""Pixels: JPEG counts with 16 bits."""
FEWEST_THUMBNAILS = 50
CANDIDATES = 12
"""Frames that a poster is chosen from, spread evenly over the film."""
SHOTS = 4


class Pictures(Contract):
    """Frames of the film, and what is made of them."""

    part: Literal["poster", "thumbnails", "storyboard", "animation"]
    role: str
    names: tuple[str, ...]
    pts: tuple[int, ...]
    """The frames, in the stream's time base; of a poster without a time, the candidates."""
    width: int
    height: int
    columns: int = 1
    """Of a sheet."""
    fps: int = 1


class Sound(Contract):
    """What is made of the sound."""

    part: Literal["waveform", "peaks"]
    role: str
    names: tuple[str, ...]
    stream: int
    sample_rate: int
    channels: int
    split_channels: bool = False
    samples_per_pixel: int
    bits: Literal[8, 16] = 16
    width: int = 0
    height: int = 0


class PreviewPlan(Contract):
    """What will be shown of a source."""

    demuxer: str
    origin_s: Rational
    media_s: float
    video: int | None
    """Index of the picture's stream."""
    filters: tuple[str, ...]
    """What makes the frames right for a screen, before they are scaled."""
    color_matrix: str | None
    """The matrix to assume, where the source names none."""
    tone: tuple[str, ...] = ()
    """What makes SDR of scaled HDR frames; `{tone}` stands for its table's file."""
    files: FilterFiles = FilterFiles()
    parts: tuple[Pictures | Sound, ...]
    webvtt: str | None
    decisions: dict[str, str]
    warnings: tuple[str, ...]


def plan_preview(facts: MediaFacts, index: Index | None, job: Preview) -> PreviewPlan:
    """Plan a preview. Raises InvalidJob and InputUnsupported with words for the user."""
    video = facts.video[0] if facts.video and index is not None and index.pts else None
    audio = next((a for a in facts.audio if a.default), facts.audio[0] if facts.audio else None)
    clock = Clock(index, facts.duration_s) if index is not None and video else None
    parts: list[Pictures | Sound] = []
    decisions: dict[str, str] = {}
    for part in dict.fromkeys(job.parts):
        if part in ("waveform", "peaks"):
            if audio is None:
                decisions[part] = "left out: the source has no sound"
            else:
                parts.append(_sound(part, job, audio, facts.duration_s))
        elif clock is None or video is None:
            decisions[part] = "left out: the source has no picture"
        else:
            parts += _pictures(part, job, video, clock)
    if not parts:
        raise InputUnsupported("; ".join(f"{part} {why}" for part, why in decisions.items()))
    sheets = [part for part in parts if isinstance(part, Pictures) and part.part == "storyboard"]
    tone = tone_map(video, VideoSettings(hdr="sdr")) if video else None
    if tone and any(isinstance(part, Pictures) for part in parts):
        decisions["hdr"] = "tone-mapped to SDR"
    return PreviewPlan(
        demuxer=facts.container,
        origin_s=index.origin_s if index else Fraction(str(facts.start_s)),
        media_s=facts.duration_s,
        video=video.index if video else None,
        filters=tuple(_filters(video)) if video else (),
        color_matrix=_assumed_matrix(video) if video else None,
        tone=(*tone_mapped_rgb(), f"scale=flags={SCALER}") if tone else (),
        files=FilterFiles(tone=tone),
        parts=tuple(parts),
        webvtt=webvtt(sheets, _interval(job, facts.duration_s), facts.duration_s)
        if sheets
        else None,
        decisions=decisions,
        warnings=(),
    )


class Clock:
    """Finds the frame that is shown at a time, in seconds from the start of the file."""

    def __init__(self, index: Index, duration_s: float) -> None:
        self._index = index
        self.end_s = Fraction(str(duration_s))

    def frame(self, seconds: Fraction) -> int:
        """Presentation time of the frame shown then; before the first, the first."""
        ticks = math.floor((seconds + self._index.origin_s) / self._index.time_base)
        return self._index.pts[max(0, bisect_right(self._index.pts, ticks) - 1)]


def _pictures(part: PreviewPart, job: Preview, video: VideoFacts, clock: Clock) -> list[Pictures]:
    if part == "poster":
        return [_poster(job, video, clock)]
    if part == "thumbnails":
        return _thumbnails(job, video, clock)
    if part == "storyboard":
        return _storyboard(job, video, clock)
    return [_animation(job, video, clock)]


def _poster(job: Preview, video: VideoFacts, clock: Clock) -> Pictures:
    at = job.poster.at
    if at is not None and at >= clock.end_s:
        raise InvalidJob(
            f"poster.at ({float(at):g} s) lies behind the end ({float(clock.end_s):g} s)"
        )
    times = [at] if at is not None else _evenly(clock.end_s, CANDIDATES)
    width, height = _size(video, job.poster.height)
    return Pictures(
        part="poster",
        role="poster",
        names=("poster.jpg",),
        pts=tuple(dict.fromkeys(clock.frame(time) for time in times)),
        width=width,
        height=height,
    )


def _thumbnails(job: Preview, video: VideoFacts, clock: Clock) -> list[Pictures]:
    every = job.thumbnails.every_s or _whole_seconds(clock.end_s / FEWEST_THUMBNAILS)
    count = math.ceil(clock.end_s / every)
    if count > MOST_THUMBNAILS:
        raise InvalidJob(
            f"thumbnails.every_s {float(every):g} would give {count} pictures; at most "
            f"{MOST_THUMBNAILS} are made. A storyboard holds more"
        )
    width, height = _size(video, job.thumbnails.height)
    together = max(1, min(TOGETHER, MOST_BYTES // (3 * width * height)))
    return [
        Pictures(
            part="thumbnails",
            role="thumbnail",
            names=tuple(f"thumbnail-{number + 1:04}.jpg" for number in some),
            pts=tuple(clock.frame(number * every) for number in some),
            width=width,
            height=height,
        )
        for some in (range(at, min(at + together, count)) for at in range(0, count, together))
    ]


def _storyboard(job: Preview, video: VideoFacts, clock: Clock) -> list[Pictures]:
    asked = job.storyboard
    every = _interval(job, float(clock.end_s))
    size = asked.columns * asked.rows
    count = math.ceil(clock.end_s / every)
    if count > size * MOST_SHEETS:
        raise InvalidJob(
            f"storyboard.every_s {float(every):g} would give {-(-count // size)} sheets; at most "
            f"{MOST_SHEETS} are made"
        )
    # The middle of its time, so that a cut does not show the shot before.
    shown = [clock.frame(min((n + Fraction(1, 2)) * every, clock.end_s)) for n in range(count)]
    width, height = _size(video, asked.height)
    if max(width * asked.columns, height * asked.rows) > WIDEST:
        raise InvalidJob(
            "the storyboard's sheets would be too large for JPEG: fewer columns or rows"
        )
    return [
        Pictures(
            part="storyboard",
            role="storyboard",
            names=(f"storyboard-{number + 1:02}.jpg",),
            pts=tuple(shown[first : first + size]),
            width=width,
            height=height,
            columns=asked.columns,
        )
        for number, first in enumerate(range(0, count, size))
    ]


def _interval(job: Preview, duration_s: float) -> Fraction:
    asked = job.storyboard
    sheet = asked.columns * asked.rows
    return asked.every_s or _whole_seconds(Fraction(str(duration_s)) / sheet)


def _animation(job: Preview, video: VideoFacts, clock: Clock) -> Pictures:
    asked = job.animation
    width, height = _size(video, asked.height)
    shots = _evenly(clock.end_s, SHOTS)
    length = min(asked.shot_s, clock.end_s / SHOTS)
    count = max(1, math.floor(length * asked.fps))
    times = [shot - length / 2 + Fraction(n, asked.fps) for shot in shots for n in range(count)]
    return Pictures(
        part="animation",
        role="animation",
        names=("animation.webp",),
        pts=tuple(clock.frame(time) for time in times),
        width=width,
        height=height,
        fps=asked.fps,
    )


def _sound(part: PreviewPart, job: Preview, audio: AudioFacts, duration_s: float) -> Sound:
    shared = {
        "stream": audio.index,
        "sample_rate": audio.sample_rate,
        "channels": audio.channels,
        "part": part,
        "role": part,
    }
    if part == "peaks":
        return Sound.model_validate(
            {**shared, "names": ("peaks.json",), **job.peaks.model_dump()},
        )
    # Some pairs for each column, which are then drawn together.
    pairs = 8 * job.waveform.width
    samples = max(2, int(duration_s * audio.sample_rate) // pairs)
    return Sound.model_validate(
        {
            **shared,
            "names": ("waveform.png",),
            "samples_per_pixel": samples,
            **job.waveform.model_dump(),
        }
    )


def webvtt(sheets: list[Pictures], every: Fraction, duration_s: float) -> str:
    """Which part of which sheet is shown when: WebVTT with spatial fragments (W3C Media
    Fragments URI 1.0, 4.2.2), as players read it for their bars."""
    cues, number = [], 0
    for sheet in sheets:
        for tile in range(len(sheet.pts)):
            begin, end = number * every, min((number + 1) * every, Fraction(str(duration_s)))
            row, column = divmod(tile, sheet.columns)
            x, y = column * sheet.width, row * sheet.height
            cues.append(
                f"{_cue_time(begin)} --> {_cue_time(end)}\n"
                f"{sheet.names[0]}#xywh={x},{y},{sheet.width},{sheet.height}\n"
            )
            number += 1
    return "\n".join(["WEBVTT\n", *cues])


def _cue_time(seconds: Fraction) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _evenly(end: Fraction, count: int) -> list[Fraction]:
    """The middles of so many equal parts of the film."""
    return [end * (2 * number + 1) / (2 * count) for number in range(count)]


def _whole_seconds(least: Fraction) -> Fraction:
    return Fraction(max(1, math.ceil(least)))


def _size(video: VideoFacts, height: int) -> tuple[int, int]:
    return output_size(video, VideoSettings(height=height))


def _assumed_matrix(video: VideoFacts) -> str | None:
    """Untagged pictures of HD size are BT.709 by custom, and FFmpeg would take BT.601."""
    if video.color_space is not None or min(video.width, video.height) < 720:
        return None
    return "bt709"


def _filters(video: VideoFacts) -> Iterator[str]:
    if video.interlaced:
        yield "estdif=mode=frame"
    if is_hdr(video) and not is_tagged(video):
        yield source_colour(video).as_tags()
