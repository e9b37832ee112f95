"""Find the breaks between the chapters of a film: where it is black, silent, or both at once.

One pass over picture and sound: FFmpeg's `blackdetect` and `silencedetect` tell of every black
frame and every silence, and what is long enough is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.chapters import Breaks, Chapters
from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.errors import InputCorrupt, InvalidJob
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import escaped
from media.picture.pixels import SCALER
from media.probing.index import Index
from media.transcode.chunks import seek_point
from media.transcode.plan import Clip
from media.transcode.video import trim

Span = tuple[Fraction, Fraction]
"""Begin and end, in seconds on the output's clock."""

TOGETHER_S = Fraction(1, 5)
"""Black and silence that meet mark a break already when they are short: between two programmes of
television lie a few frames."""
BLACK_S = Fraction(1, 2)
SILENCE_S = Fraction(2)
"""Alone they must be longer: a cut may be black for a moment, and a speaker draws breath."""
BLACK_PART = 0.98
"""Of a picture's pixels; the rest may be a station's logo."""
_FRAME = re.compile(r"frame:\d+ +pts:(-?\d+)")


async def find_chapters(
    source: Path,
    facts: MediaFacts,
    index: Index | None,
    sound: AudioFacts | None,
    breaks: Breaks,
    clip: Clip,
    draft: Path,
    on_tick: OnTick,
) -> tuple[Chapters, Finished]:
    """The chapters of a source or of a clip of it, by its picture and the track `sound`; a single
    one where there is no break. FFmpeg writes what it sees and hears beside `draft`.

    Raises InvalidJob where what breaks are to be found by is not there, InputCorrupt, and what
    `run_ffmpeg` raises.
    """
    video, audio = _looked_at(facts, sound, breaks)
    start = index.origin_s if index else Fraction(str(facts.start_s))
    origin = start + (clip.start or 0)
    length = Fraction(str(facts.duration_s))
    end = min(length, clip.end if clip.end is not None else length) - (clip.start or 0)
    # Under the draft's name, so that what a killed worker leaves is swept with it.
    seen, heard = (draft.with_name(f"{draft.name}.{what}") for what in ("black", "silence"))
    span = (origin, origin + end)
    command = _command(source, facts, index, video, audio, breaks, span, (seen, heard))
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        black = None if video is None else list(_black(seen, video.time_base, origin, end))
        silent = None if audio is None else [*_silent(heard, end), _behind(audio, origin, end)]
    except ProcessFailed as error:
        raise InputCorrupt(
            f"{source.name} could not be looked through for breaks (exit code {error.code}): "
            f"{error.stderr}"
        ) from error
    finally:
        seen.unlink(missing_ok=True)
        heard.unlink(missing_ok=True)
    starts = chapter_starts(found_breaks(black, silent, breaks), end, breaks.shortest_s)
    return Chapters(starts_s=starts, end_s=end), finished


def _looked_at(
    facts: MediaFacts, sound: AudioFacts | None, breaks: Breaks
) -> tuple[VideoFacts | None, AudioFacts | None]:
    video = facts.video[0] if facts.video and breaks.by != "silence" else None
    audio = sound if breaks.by != "black" else None
    if video is None and audio is None:
        thing = "picture" if breaks.by == "black" else "sound"
        raise InvalidJob(f"chapters.by {breaks.by}: the source has no {thing}")
    return video, audio


def _command(
    source: Path,
    facts: MediaFacts,
    index: Index | None,
    video: VideoFacts | None,
    audio: AudioFacts | None,
    breaks: Breaks,
    span: Span,
    reports: tuple[Path, Path],
) -> Ffmpeg:
    """Both filters in one pass, from the keyframe before the clip to its end."""
    command = Ffmpeg.quiet().read(source, facts.container, "-copyts", *_seek(index, span[0]))
    if video is not None and index is not None:
        edges = (-(-time // index.time_base) for time in span)
        picture = filters(
            (
                trim(*edges),
                # Whatever the range and depth, black is 16 here.
                f"scale=out_range=limited:flags={SCALER},format=yuv420p",
                f"blackdetect=pix_th={breaks.black_level}:pic_th={BLACK_PART}",
                f"metadata=print:file={escaped(reports[0])}",
            )
        )
        command = command.then("-map", f"0:{video.index}", "-vf", picture)
        command = command.then("-fps_mode", "passthrough")
    if audio is not None:
        rate = audio.sample_rate
        first, last = (round(time * rate) for time in span)
        silence_s = float(_shortest(breaks.silence_s, SILENCE_S, together=video is not None))
        heard = filters(
            (
                # Holes are silent, too, and so is what lies before late sound.
                f"aresample={rate}:async=1:min_hard_comp=0.01:first_pts={first}",
                f"atrim=start_pts={first}:end_pts={last}",
                f"asetpts=PTS-({first})",
                f"silencedetect=noise={breaks.silence_dbfs}dB:duration={silence_s}",
                f"ametadata=print:file={escaped(reports[1])}",
            )
        )
        command = command.then("-map", f"0:{audio.index}", "-af", heard)
    return command.write("-", "null")


def _seek(index: Index | None, origin: Fraction) -> tuple[str, ...]:
    if index is not None:
        first = seek_point(index, -(-origin // index.time_base))
        return () if index.unreliable else Ffmpeg.from_keyframe(first, index.time_base)
    if origin <= 10:
        return ()
    return ("-seek_timestamp", "1", "-ss", f"{int((origin - 1) * 1_000_000)}us")


def _shortest(asked: Fraction | None, alone: Fraction, *, together: bool) -> Fraction:
    return asked or (TOGETHER_S if together else alone)


def _black(report: Path, time_base: Fraction, origin: Fraction, end: Fraction) -> Iterator[Span]:
    """Spans of black. The time of a frame counts, not the words on it: they are rounded."""
    at, began = Fraction(), None
    for line in _lines(report):
        if found := _FRAME.match(line):
            at = int(found[1]) * time_base - origin
        elif line.startswith("lavfi.black_start="):
            began = at
        elif line.startswith("lavfi.black_end=") and began is not None:
            yield began, at
            began = None
    if began is not None:
        yield began, end


def _silent(report: Path, end: Fraction) -> Iterator[Span]:
    began = None
    for line in _lines(report):
        name, _, value = line.partition("=")
        if name == "lavfi.silence_start":
            began = Fraction(value)
        elif name == "lavfi.silence_end" and began is not None:
            yield began, Fraction(value)
            began = None
    if began is not None:
        yield began, end


def _lines(report: Path) -> list[str]:
    return report.read_text("utf-8", "replace").splitlines() if report.exists() else []


def _behind(audio: AudioFacts, origin: Fraction, end: Fraction) -> Span:
    """From the end of the sound to that of the film."""
    return min(end, Fraction(str(audio.start_s + audio.duration_s)) - origin), end


def found_breaks(
    black: Sequence[Span] | None, silent: Sequence[Span] | None, breaks: Breaks
) -> list[Span]:
    """What is long enough of black and of silence; where both are looked for, what of it meets."""
    together = black is not None and silent is not None
    shortest_black = _shortest(breaks.black_s, BLACK_S, together=together)
    shortest_silence = _shortest(breaks.silence_s, SILENCE_S, together=together)
    dark = [span for span in black or () if span[1] - span[0] >= shortest_black]
    quiet = [span for span in silent or () if span[1] - span[0] >= shortest_silence]
    if not together:
        return dark or quiet
    met = ((max(a[0], b[0]), min(a[1], b[1])) for a in dark for b in quiet)
    return [span for span in met if span[0] < span[1]]


def chapter_starts(
    breaks: Sequence[Span], end: Fraction, shortest: Fraction
) -> tuple[Fraction, ...]:
    """Where chapters begin: at zero, and where a break ends, the longest breaks first, as long as
    no chapter is too short."""
    chosen: list[Fraction] = [Fraction(), end]
    for _, until in sorted(breaks, key=lambda span: (span[0] - span[1], span[0])):
        if all(abs(until - other) >= shortest for other in chosen):
            chosen.append(until)
    return tuple(sorted(set(chosen) - {end}))
