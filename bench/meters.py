"""Meters of loudness and true peak that Longtake does not use."""

from __future__ import annotations

import asyncio
import math
import subprocess
from pathlib import Path

from media.ffmpeg.tools import ffmpeg

METER_HZ = 48_000
"""BS.1770 gives its filter there."""
EXACT = "DeMan"
"""pyloudnorm's filters with the coefficients of BS.1770-5; its usual ones come near them, and read
0.04 LU less of speech (measured)."""


async def integrated_lufs(path: Path, folder: Path, channels: int) -> float:
    """Gated loudness of the first sound track, by pyloudnorm."""
    return await asyncio.to_thread(_lufs, path, folder, channels)


async def true_peak_dbtp(path: Path, folder: Path) -> float:
    """True peak of the first sound track, by FFmpeg's ebur128, to 0.01 dB."""
    return await asyncio.to_thread(_peak, path, folder)


def _lufs(path: Path, folder: Path, channels: int) -> float:
    import numpy as np
    import pyloudnorm

    raw = folder / "samples.f64"
    resampled = ("-af", f"aresample={METER_HZ}:osf=dbl")
    _run("-i", path, "-map", "0:a:0", *resampled, "-c:a", "pcm_f64le", "-f", "f64le", raw)
    samples = np.fromfile(raw).reshape(-1, channels)
    raw.unlink()
    if channels == 6:  # it knows no LFE, which does not count
        samples = samples[:, [0, 1, 2, 4, 5]]
    # Its last window may reach behind the end, where BS.1770 leaves out what is not full.
    whole = len(samples) * 10 // METER_HZ * METER_HZ // 10
    if whole < 4 * METER_HZ // 10:
        return math.nan
    meter = pyloudnorm.Meter(METER_HZ, filter_class=EXACT)
    return float(meter.integrated_loudness(samples[:whole]))


def _peak(path: Path, folder: Path) -> float:
    report = folder / "peaks"
    # A filter's text keeps colons and quotes for itself.
    file = str(report).replace("\\", "\\\\").replace(":", "\\:").replace("'", "\\'")
    chain = f"ebur128=metadata=1:peak=true,ametadata=print:key=lavfi.r128.true_peak:file={file}"
    _run("-i", path, "-map", "0:a:0", "-af", chain, "-f", "null", "-")
    told = [line for line in report.read_text().splitlines() if "true_peak=" in line]
    report.unlink()
    return 20 * math.log10(float(told[-1].partition("=")[2]))


def _run(*arguments: str | Path) -> None:
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*command, *map(str, arguments)], check=True, capture_output=True)
