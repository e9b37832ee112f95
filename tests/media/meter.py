"""Meters for tests: the engine's on a file, and pyloudnorm, which shares no code with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm

from longtake.contracts.loudness import Loudness
from media.command import Ffmpeg
from media.formats import sniff
from media.loudness import measure
from tests.media.engine import no_tick, run


async def loudness(path: Path, rate: int = 48_000) -> Loudness:
    """What the engine's meter says of the first sound track."""
    command = Ffmpeg.quiet().read(path, sniff(path)).then("-map", "0:a:0")
    found, _ = await measure(command, (), rate, path.with_suffix(".report"), no_tick)
    return found


def independent_lufs(path: Path, folder: Path, rate: int, channels: int) -> float:
    """What pyloudnorm says of it: exact windows of 0.4 s, filters of its own."""
    raw = folder / "samples.f64"
    meter = max(rate, 48_000)  # the standard gives its filter there
    resampled = ("-af", f"aresample={meter}:osf=dbl")
    run("-i", path, "-map", "0:a:0", *resampled, "-c:a", "pcm_f64le", "-f", "f64le", raw)
    samples = np.fromfile(raw).reshape(-1, channels)
    if channels == 6:  # it knows no LFE, which does not count
        samples = samples[:, [0, 1, 2, 4, 5]]
    # Its last window may reach behind the end, where BS.1770 leaves out what is not full: it reads
    # 0.22 LU less of a recording of 2.5 s.
    whole = len(samples) * 10 // meter * meter // 10
    return float(pyloudnorm.Meter(meter).integrated_loudness(samples[:whole]))
