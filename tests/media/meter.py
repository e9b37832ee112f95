"""Meters for tests: the engine's on a file, and pyloudnorm, which shares no code with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm

from longtake.contracts.loudness import Loudness
from media.ffmpeg.command import Ffmpeg
from media.probing.formats import sniff
from media.sound.loudness import Measured, measure
from tests.media.engine import no_tick, run


async def loudness(path: Path, rate: int = 48_000) -> Loudness:
    """What the engine's meter says of the first sound track."""
    return (await windows(path, rate)).loudness


async def windows(path: Path, rate: int = 48_000) -> Measured:
    """The same with its windows."""
    command = Ffmpeg.quiet().read(path, sniff(path))
    report = path.with_suffix(".report")
    found, _ = await measure(command, "0:a:0", (), rate, report, no_tick)
    return found


def independent_lufs(path: Path, folder: Path, rate: int, channels: int) -> float:
    """What pyloudnorm says of it: exact windows of 0.4 s, filters of its own."""
    meter = max(rate, 48_000)  # the standard gives its filter there
    samples = _samples(path, folder, meter, channels)
    return float(_meter(meter).integrated_loudness(samples))


def independent_album_lufs(paths: list[Path], folder: Path, rate: int, channels: int) -> float:
    """The same of several files as one sound: blocks of 0.4 s behind pyloudnorm's filters, none
    of them in two files, gated together as BS.1770-5, annex 1 says."""
    meter = max(rate, 48_000)
    blocks: list[float] = []
    for path in paths:
        weighted = _samples(path, folder, meter, channels)
        for kind in _meter(meter)._filters.values():
            weighted = np.stack([kind.apply_filter(one) for one in weighted.T], axis=1)
        step = meter // 10
        blocks += [
            float(np.mean(np.square(weighted[at : at + 4 * step]), axis=0).sum())
            for at in range(0, len(weighted) - 4 * step + 1, step)
        ]
    energy = np.array(blocks)
    loud = energy[-0.691 + 10 * np.log10(energy + 1e-30) > -70]
    kept = loud[10 * np.log10(loud) > 10 * np.log10(loud.mean()) - 10]
    return float(-0.691 + 10 * np.log10(kept.mean()))


def _meter(rate: int) -> pyloudnorm.Meter:
    # The coefficients of BS.1770-5; its usual filters only come near, and read 0.04 LU less.
    return pyloudnorm.Meter(rate, filter_class="DeMan")


def _samples(path: Path, folder: Path, rate: int, channels: int) -> Any:
    raw = folder / "samples.f64"
    resampled = ("-af", f"aresample={rate}:osf=dbl")
    run("-i", path, "-map", "0:a:0", *resampled, "-c:a", "pcm_f64le", "-f", "f64le", raw)
    samples = np.fromfile(raw).reshape(-1, channels)
    if channels == 6:  # it knows no LFE, which does not count
        samples = samples[:, [0, 1, 2, 4, 5]]
    # Its last window may reach behind the end, where BS.1770 leaves out what is not full: it reads
    # 0.22 LU less of a recording of 2.5 s.
    return samples[: len(samples) * 10 // rate * rate // 10]
