"""`ladder`: an automatic ladder against the fixed one, on films that are easy to encode."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from bench import footage
from bench.footage import Footage
from bench.history import cpu_by_step
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, ratio, series
from longtake import Package
from longtake.contracts.package import Listing
from media.children.process import NICENESS
from media.ffmpeg.tools import ffmpeg

HOW = (
    "The same job with `ladder: fixed` and `ladder: auto`, H.264, each from an empty work store. "
    "VMAF of every 15th frame of each rendition, scaled up to the source's size, measured apart. "
    "Bytes at equal VMAF: for each rung of the fixed ladder, what the automatic one takes for the "
    "same VMAF, or for {top} where it has more, which is not seen; added up. Between rungs the "
    "logarithm of the rate is interpolated, beyond the first it goes on. Below: the same as "
    "Bjøntegaard has it (BD-rate), over all VMAF up to {top} that both ladders reach. CPU is that "
    "of the steps' children."
)
TOP = 95.0
EVERY = 15
_STEPS = 50


@dataclass(frozen=True)
class Rung:
    """What a rendition takes, and how it looks."""

    name: str
    bps: int
    vmaf: float


async def measure(options: Options) -> Measurement:
    """Bytes at equal VMAF, and the share of CPU that test encodes take."""
    measurement = Measurement("ladder", "automatic ladder, easy films", HOW.format(top=f"{TOP:g}"))
    films = await footage.easy(options.out / "media", options.film_s(quick_s=8))
    async with lab() as here:
        for film in films[: 1 if options.quick else None]:
            await _compare(here, film, measurement, "ultrafast" if options.quick else "medium")
    return measurement


async def _compare(here: Lab, film: Footage, measurement: Measurement, speed: str) -> None:
    name = film.path.stem.partition("-")[0]
    fixed, before = await _job(here, film, "fixed", speed)
    auto, cpu = await _job(here, film, "auto", speed)
    same = [rate_at(auto, min(rung.vmaf, TOP)) for rung in fixed]
    measurement.rows.append(
        ratio(
            f"{name}: bytes at equal VMAF",
            series("auto", "kbit/s", [sum(same) / 1000]),
            series("fixed", "kbit/s", [sum(rung.bps for rung in fixed) / 1000]),
            0.8,
        )
    )
    ours, theirs = mean_rates(auto, fixed)
    measurement.rows.append(
        ratio(
            f"{name}: BD-rate",
            series("auto", "kbit/s", [ours / 1000]),
            series("fixed", "kbit/s", [theirs / 1000]),
        )
    )
    measurement.rows.append(
        ratio(
            f"{name}: bytes of all rungs",
            series("auto", "kbit/s", [sum(rung.bps for rung in auto) / 1000]),
            series("fixed", "kbit/s", [sum(rung.bps for rung in fixed) / 1000]),
        )
    )
    spent = sum(cpu.values())
    measurement.rows.append(
        ratio(
            f"{name}: CPU of test encodes, of the job's",
            series("test encodes", "s", [cpu["encode_trials"]]),
            series("job", "s", [spent]),
            0.1,
        )
    )
    measurement.rows.append(
        ratio(
            f"{name}: CPU of the job",
            series("auto", "s", [spent]),
            series("fixed", "s", [sum(before.values())]),
        )
    )
    measurement.notes.append(f"{name}, fixed: {_told(fixed)}; auto: {_told(auto)}")


def _told(rungs: Sequence[Rung]) -> str:
    return ", ".join(f"{r.name} {r.bps / 1000:.0f} kbit/s VMAF {r.vmaf:.1f}" for r in rungs)


async def _job(
    here: Lab, film: Footage, ladder: Literal["fixed", "auto"], speed: str
) -> tuple[list[Rung], dict[str, float]]:
    """The rungs of a package, and the CPU seconds of each kind of step."""
    here.empty()
    here.jobs += 1
    output = here.home.path / f"package-{here.jobs}"
    job = Package(
        id=f"bench-ladder-{here.jobs}",
        input=str(film.path),
        output=str(output),
        preset="convert-to-hls",
        ladder=ladder,
        speed={"h264": speed},
    )
    _, result = await here.run(job)
    cpu = await cpu_by_step(await here.longtake.temporal(), result.job_id)
    listing = Listing.model_validate_json((output / "package.json").read_bytes())
    rungs = [
        Rung(
            each.name,
            each.average_bandwidth_bps,
            await asyncio.to_thread(_vmaf, output / each.folder, film.path),
        )
        for each in listing.renditions
        if each.kind == "video"
    ]
    shutil.rmtree(output)
    return rungs, cpu


def mean_rates(ours: Sequence[Rung], theirs: Sequence[Rung]) -> tuple[float, float]:
    """Mean rates in bit/s, geometric, over the VMAF that both reach."""
    least = max(min(rung.vmaf for rung in each) for each in (ours, theirs))
    most = min(TOP, *(max(rung.vmaf for rung in each) for each in (ours, theirs)))
    scores = [least + max(0.0, most - least) * step / _STEPS for step in range(_STEPS + 1)]
    means = [
        math.exp(sum(math.log(rate_at(each, score)) for score in scores) / len(scores))
        for each in (ours, theirs)
    ]
    return means[0], means[1]


def rate_at(rungs: Sequence[Rung], vmaf: float) -> float:
    """The rate in bit/s of a ladder at a score: between its rungs, or beyond the first one as from
    the second to the first. Below the last there is nothing cheaper than it."""
    rising = sorted(rungs, key=lambda rung: rung.vmaf)
    if vmaf <= rising[0].vmaf or len(rising) == 1:
        return rising[0].bps
    pairs = list(pairwise(rising))
    below, above = next((pair for pair in pairs if vmaf <= pair[1].vmaf), pairs[-1])
    part = (vmaf - below.vmaf) / max(above.vmaf - below.vmaf, 0.01)
    return math.exp((1 - part) * math.log(below.bps) + part * math.log(above.bps))


def _vmaf(rendition: Path, source: Path) -> float:
    """The mean of every 15th frame. Each comes with the next one, as VMAF looks at motion, to the
    nearer of its neighbours."""
    with tempfile.TemporaryDirectory() as folder:
        kept = (
            f"select=lt(mod(n\\,{EVERY})\\,2),settb=1/1000,setpts=N*40,setparams="
            "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited"
        )
        graph = (
            f"[0:v]{kept}[a];[1:v]{kept},format=yuv420p[b];"
            "[a][b]scale2ref=flags=lanczos[large][c];"
            "[large][c]libvmaf=n_subsample=2:n_threads=2:log_fmt=json:log_path=vmaf.json"
        )
        whole = Path(folder) / "whole.mp4"
        with whole.open("wb") as file:
            for part in (rendition / "init.mp4", *sorted(rendition.glob("*.m4s"))):
                file.write(part.read_bytes())
        subprocess.run(
            [
                *("nice", "-n", str(NICENESS)),
                *(ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error"),
                *("-i", str(whole), "-i", str(source), "-filter_complex", graph),
                *("-fps_mode", "passthrough", "-enc_time_base", "filter", "-f", "null", "-"),
            ],
            cwd=folder,
            check=True,
        )
        pooled = json.loads((Path(folder) / "vmaf.json").read_text())["pooled_metrics"]
    return float(pooled["vmaf"]["mean"])
