"""One recipe against bare FFmpeg: time, CPU, bytes and quality, measured in turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import cost, quality
from bench.cost import Cost
from bench.footage import Footage
from bench.lab import Lab
from bench.recipe import Recipe
from bench.report import Measurement, Row, distance, ratio, series

VMAF_EVERY = 10


async def compare(
    measurement: Measurement, here: Lab, recipe: Recipe, film: Footage, out: Path, rounds: int
) -> None:
    """Add the rows of a recipe; with its codec's name where it is not the only one."""
    bare: list[Cost] = []
    ours: list[Cost] = []
    theirs_at, ours_at = out / "bare.mp4", out / "longtake.mp4"
    for _ in range(rounds):
        bare.append(await cost.run(recipe.command(film.path, theirs_at, film.fps)))
        ours.append(await _job(measurement, here, recipe, film, ours_at))
    rows = [
        ratio("wall", cost.wall("Longtake", ours), cost.wall("bare FFmpeg", bare), 1.00),
        ratio("CPU", cost.cpu("Longtake", ours), cost.cpu("bare FFmpeg", bare), 1.05),
        _bytes(theirs_at, ours_at),
        *await _qualities(film.path, theirs_at, ours_at),
    ]
    measurement.rows += [replace(row, what=f"{recipe.codec}: {row.what}") for row in rows]
    bits = theirs_at.stat().st_size * 8 / film.seconds / 1e6
    measurement.notes += [
        f"source: {film.seconds} s at {film.megabits:.1f} Mbit/s; bare FFmpeg: {bits:.1f}",
        cost.neighbours(FFmpeg=bare, Longtake=ours),
    ]


async def _job(
    measurement: Measurement, here: Lab, recipe: Recipe, film: Footage, output: Path
) -> Cost:
    here.empty()
    job = here.next_job(recipe, film).model_copy(update={"output": str(output)})
    took, result = await here.run(job)
    stats = result.stats
    note = (
        f"{recipe.codec}: {stats.chunks} chunks, {stats.retries} retries; its children alone took "
        f"{stats.cpu_s:.1f} s of CPU, peak {stats.peak_memory_bytes >> 20} MiB"
    )
    measurement.notes.append(note)
    return took


def _bytes(theirs: Path, ours: Path) -> Row:
    sizes = [path.stat().st_size / 1000 for path in (theirs, ours)]
    return ratio(
        "bytes", series("Longtake", "kB", sizes[1:]), series("bare FFmpeg", "kB", sizes[:1]), 1.02
    )


async def _qualities(source: Path, theirs: Path, ours: Path) -> list[Row]:
    """Of the last round: the bytes of one round are the bytes of all."""
    a = await quality.compare(theirs, source, VMAF_EVERY)
    b = await quality.compare(ours, source, VMAF_EVERY)
    figures = [
        ("VMAF", "VMAF", a.vmaf, b.vmaf, 0.3),
        ("PSNR of luma", "dB", a.psnr, b.psnr, None),
        ("SSIM of luma", "dB", a.ssim, b.ssim, None),
        ("frames", "frames", float(a.frames), float(b.frames), 0.0),
    ]
    return [
        distance(
            f"{what}, distance",
            series("Longtake", unit, [ours_]),
            series("bare FFmpeg", unit, [theirs_]),
            at_most,
        )
        for what, unit, theirs_, ours_, at_most in figures
    ]
