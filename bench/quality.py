"""How near an encode is to its source: VMAF, PSNR and SSIM, in one pass of FFmpeg."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from media.children.process import NICENESS
from media.ffmpeg.tools import ffmpeg


@dataclass(frozen=True)
class Quality:
    """Means over the film. `frames`: how many the file holds."""

    vmaf: float
    psnr: float
    """Of luma, in dB."""
    ssim: float
    """Of luma, in dB: -10 log10(1 - SSIM)."""
    frames: int


async def compare(encode: Path, source: Path, every: int) -> Quality:
    """Compare frame by frame; VMAF, which is costly, of every `every`-th frame only."""
    return await asyncio.to_thread(_compare, encode, source, every)


def _compare(encode: Path, source: Path, every: int) -> Quality:
    with tempfile.TemporaryDirectory() as folder:
        # By number of the frame, not by time: the source may start late. One colour for both: where
        # only one of them is tagged, FFmpeg would convert it before it compares.
        numbered = (
            "settb=1/1000,setpts=N*40,setparams=color_primaries=bt709:color_trc=bt709"
            ":colorspace=bt709:range=limited"
        )
        graph = (
            f"[0:v]{numbered},split=3[a1][a2][a3];[1:v]{numbered},split=3[b1][b2][b3];"
            "[a1][b1]psnr[p];[a2][b2]ssim[s];"
            f"[a3][b3]libvmaf=n_subsample={every}:n_threads=2:log_fmt=json:log_path=vmaf.json[v]"
        )
        done = subprocess.run(
            [
                *("nice", "-n", str(NICENESS)),
                *(ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "info", "-nostats"),
                *("-i", str(encode), "-i", str(source), "-filter_complex", graph),
                *("-map", "[p]", "-f", "null", "-", "-map", "[s]", "-f", "null", "-"),
                *("-map", "[v]", "-f", "null", "-"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        vmaf = json.loads((Path(folder) / "vmaf.json").read_text())["pooled_metrics"]["vmaf"]
    return Quality(
        vmaf=float(vmaf["mean"]),
        psnr=_said(done.stderr, r"PSNR y:([\d.]+)"),
        ssim=_said(done.stderr, r"SSIM Y:[\d.]+ \(([\d.]+)\)"),
        frames=frames(encode),
    )


def frames(path: Path) -> int:
    """Frames of the picture, counted without decoding."""
    done = subprocess.run(
        [
            *(ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-progress", "pipe:1"),
            *("-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "null", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(re.findall(r"frame=\s*(\d+)", done.stdout)[-1])


def _said(stderr: str, pattern: str) -> float:
    found = re.search(pattern, stderr)
    if found is None:
        raise ValueError(f"FFmpeg did not say {pattern}: {stderr[-500:]}")
    return float(found.group(1))
