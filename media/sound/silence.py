"""Where a sound is silent, and which of its samples stay when silence is taken out.

Levels are RMS of 20 ms. Choosing is a pure function in whole samples; every cut lies in silence.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from longtake.contracts.stitch import Trim
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import escaped
from media.sound.pcm import Pcm, Samples, as_bytes, removed

WINDOWS_A_SECOND = 50
BLEND_S = 0.01
"""Where a pause is shortened, both ends are blended over so long; a cut of less is not made."""
DIGITAL_SILENCE_DBFS = -90.0
"""Below, there is no noise floor: a recorder was off, or an editor put zeros there."""
FLOOR, LOUD = 0.10, 0.90
"""Percentiles of the windows' levels that stand for the noise and for the sound."""
LEAST_BELOW_LOUD_DB = 20.0
"""A threshold relative to the noise stays so far below the sound: music without pauses has no
silence, though its quiet passages lie little above its quietest."""

_BLOCK = 1 << 20

Levels = array  # of float, in dBFS


@dataclass(frozen=True)
class Span:
    """Samples that stay: from `first` up to, not including, `end`."""

    first: int
    end: int

    @property
    def samples(self) -> int:
        """How many they are."""
        return self.end - self.first


def window_of(rate_hz: int) -> int:
    """Samples of a window."""
    return rate_hz // WINDOWS_A_SECOND


async def scan(sound: Pcm, report: Path, on_tick: OnTick) -> tuple[Levels[float], Finished]:
    """The level of each window, of all channels together; the last may be shorter.

    Raises what `run_ffmpeg` raises.
    """
    name = "lavfi.astats.Overall.RMS_level"
    chain = filters(
        (
            f"asetnsamples=n={window_of(sound.rate_hz)}:p=0",
            "astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level",
            f"ametadata=print:key={name}:file={escaped(report)}",
        )
    )
    command = Ffmpeg.quiet().read_samples(sound.path, sound.rate_hz, sound.channels)
    command = command.then("-af", chain).write("-", "null")
    with removed(report):
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        return _levels(report, name), finished


def threshold_dbfs(levels: Sequence[float], trim: Trim) -> float:
    """The level below which a window is silent."""
    if trim.threshold_dbfs is not None:
        return trim.threshold_dbfs
    noise = sorted(level for level in levels if level > DIGITAL_SILENCE_DBFS)
    if not noise:
        return DIGITAL_SILENCE_DBFS
    floor, loud = (noise[math.floor((len(noise) - 1) * share)] for share in (FLOOR, LOUD))
    return min(floor + trim.above_floor_db, loud - LEAST_BELOW_LOUD_DB)


def kept(levels: Sequence[float], samples: int, rate_hz: int, trim: Trim) -> tuple[Span, ...]:
    """The spans that stay of a sound of so many samples, in order; they do not meet.

    All of a sound that is silent throughout. Of pauses the middle goes, so that what is left is
    `longest_pause_s` to the sample.
    """
    window = window_of(rate_hz)
    threshold = threshold_dbfs(levels, trim)
    loud = [n for n, level in enumerate(levels) if level > threshold]
    if not loud:
        return (Span(0, samples),)
    margin = round(trim.keep_s * rate_hz)
    first = max(0, loud[0] * window - margin) if trim.head else 0
    end = min(samples, (loud[-1] + 1) * window + margin) if trim.tail else samples
    spans, begin = [], first
    for cut in _cuts(loud, window, rate_hz, trim):
        spans.append(Span(begin, cut.first))
        begin = cut.end
    return (*spans, Span(begin, end))


def _cuts(loud: Sequence[int], window: int, rate_hz: int, trim: Trim) -> Iterator[Span]:
    """What goes of each long pause between two loud windows."""
    if trim.longest_pause_s is None:
        return
    longest = round(trim.longest_pause_s * rate_hz)
    for before, after in pairwise(loud):
        pause = Span((before + 1) * window, after * window)
        if pause.samples - longest >= blend_of(rate_hz):
            left = longest // 2
            yield Span(pause.first + left, pause.end - (longest - left))


def blend_of(rate_hz: int) -> int:
    """Samples of a blend."""
    return round(BLEND_S * rate_hz)


def cut(sound: Pcm, spans: Sequence[Span], target: Path) -> None:
    """Write the spans one behind the other: as many samples as they have.

    The end of each is blended, at equal power, into what lies before the next one's beginning.
    """
    with sound.path.open("rb") as source, target.open("wb") as out:
        for number, span in enumerate(spans):
            last = number == len(spans) - 1
            held = 0 if last else min(blend_of(sound.rate_hz), span.samples)
            source.seek(span.first * sound.frame_bytes)
            _copy(source, out, (span.samples - held) * sound.frame_bytes)
            if held:
                leaving = sound.read(span.end - held, held)
                coming = sound.read(spans[number + 1].first - held, held)
                out.write(_blended(leaving, coming, sound.channels))


def _copy(source: BinaryIO, out: BinaryIO, count: int) -> None:
    while count > 0:
        data = source.read(min(count, _BLOCK))
        if not data:
            raise InputCorrupt("prepared sound ended before its time")
        out.write(data)
        count -= len(data)


def _blended(leaving: Samples[float], coming: Samples[float], channels: int) -> bytes:
    steps = len(leaving) // channels
    mixed: Samples[float] = array("f")
    for number, (old, new) in enumerate(zip(leaving, coming, strict=True)):
        angle = (number // channels + 0.5) / steps * math.pi / 2
        mixed.append(old * math.cos(angle) + new * math.sin(angle))
    return as_bytes(mixed)


def _levels(report: Path, name: str) -> Levels[float]:
    found: Levels[float] = array("d")
    with report.open("r", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(f"{name}="):
                level = float(line.partition("=")[2])
                found.append(level if math.isfinite(level) else -math.inf)
    return found
