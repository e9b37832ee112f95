"""The FFmpeg that does the work: where it is, and what its version means for output bytes."""

from __future__ import annotations

import functools
import platform
import re
import subprocess
from pathlib import Path

from longtake.errors import CapabilityMissing

RECIPE = "8"
"""Raised when a change of ours changes output bytes, so that old chunks are not mixed in."""


@functools.cache
def ffmpeg() -> str:
    """Path of the static FFmpeg. Raises CapabilityMissing if the worker extra is not there."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise CapabilityMissing(
            "FFmpeg is not installed here: pip install 'longtake[worker]'"
        ) from error
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def ffmpeg_version() -> str:
    """What the binary calls itself, such as `n9.0.2-17-g…`."""
    text = subprocess.run(
        [ffmpeg(), "-version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    found = re.match(r"ffmpeg version (\S+)", text)
    return found.group(1) if found else "unknown"


def simd_baseline() -> str | None:
    """CPU features that audio children may use, for FFmpeg's `-cpuflags`.

    FFmpeg's float code (AAC, resampling) rounds differently with other SIMD widths, so it is
    held to what every x86-64 server has: SSE4.2 and all before it, each by its name, for
    a name alone means that feature alone (measured). Elsewhere there is one level only: None.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    return "mmx+mmxext+sse+sse2+sse3+ssse3+sse4.1+sse4.2"


def table_level() -> str | None:
    """What FFmpeg's colour tables (lut3d) must do without, for `-cpuflags`: fused multiply-add
    rounds otherwise than multiply and add (measured). Elsewhere there is one level only."""
    return "-fma3" if simd_baseline() else None


@functools.cache
def device_class(encoder: str) -> str | None:
    """What of the machine an encoder's bytes depend on beside the engine; None for most.

    Hardware encoders promise nothing beyond card and driver. SVT-AV1 and Opus
    round differently without AVX2.
    """
    if encoder.endswith("_nvenc"):
        return _driver()
    if encoder in ("av1", "av1_alpha", "opus") and simd_baseline():
        return "avx2" if _has_avx2() else "no-avx2"
    return None


def _driver() -> str:
    try:
        return Path("/proc/driver/nvidia/version").read_text("ascii").splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


@functools.cache
def wide_vectors() -> bool:
    """Whether the processor computes 512 bits at once without a lower clock, as Ice Lake, Zen 4 and
    all later ones do: they have VBMI2, which those before them lack."""
    features = _cpu_features()
    return features is not None and "avx512_vbmi2" in features


def _has_avx2() -> bool:
    features = _cpu_features()
    return features is None or "avx2" in features  # a Mac: every x86-64 one that still runs has it


def _cpu_features() -> set[str] | None:
    """What Linux says of the processor; None elsewhere."""
    try:
        return set(Path("/proc/cpuinfo").read_text("utf-8", "replace").split())
    except OSError:
        return None


@functools.cache
def engine_version() -> str:
    """Part of every content key: same version, same machine class, same bytes."""
    machine = platform.machine().replace("AMD64", "x86_64")
    return f"{RECIPE}/{ffmpeg_version()}/{machine}-{'sse4.2' if simd_baseline() else 'base'}"
