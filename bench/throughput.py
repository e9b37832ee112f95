"""`throughput`: a minute of rich 1080p, by one bare FFmpeg command and by a warm service."""

from __future__ import annotations

from pathlib import Path

from bench import cost, footage, quality
from bench.cost import Cost
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import RICH, SMOKE, Recipe
from bench.report import Measurement, Row, distance, ratio, series

HOW = (
    "x264 medium crf 23, keyframes at most 2 s apart, AAC 128 kbit/s, MP4 with faststart: one "
    "FFmpeg command on all cores and a job on a warm service, in turn. Before each job the work "
    "store and the cache of fingerprints are emptied. Wall of a job: call to return of "
    "`Longtake.run`. CPU of a job: server, supervisor, workers, every child, and the client."
)
VMAF_EVERY = 10


async def measure(options: Options) -> Measurement:
    """Time, CPU, bytes and quality."""
    measurement = Measurement("throughput", "rich 1080p, x264 medium crf 23", HOW)
    recipe = SMOKE if options.quick else RICH
    film = await footage.rich(options.out / "media", options.film_s(quick_s=8))
    bare: list[Cost] = []
    ours: list[Cost] = []
    theirs_at, ours_at = options.out / "bare.mp4", options.out / "longtake.mp4"
    async with lab() as here:
        for _ in range(options.rounds_of(5)):
            bare.append(await cost.run(recipe.command(film.path, theirs_at, film.fps)))
            ours.append(await _job(measurement, here, recipe, film, ours_at))
    measurement.rows += [
        ratio("wall", cost.wall("Longtake", ours), cost.wall("bare FFmpeg", bare), 1.00),
        ratio("CPU", cost.cpu("Longtake", ours), cost.cpu("bare FFmpeg", bare), 1.05),
        _bytes(theirs_at, ours_at),
        *await _qualities(film.path, theirs_at, ours_at),
    ]
    bits = theirs_at.stat().st_size * 8 / film.seconds / 1e6
    measurement.notes += [
        f"source: {film.seconds} s at {film.megabits:.1f} Mbit/s; bare FFmpeg: {bits:.1f}",
        cost.neighbours(FFmpeg=bare, Longtake=ours),
    ]
    return measurement


async def _job(
    measurement: Measurement, here: Lab, recipe: Recipe, film: Footage, output: Path
) -> Cost:
    here.empty()
    job = here.next_job(recipe, film).model_copy(update={"output": str(output)})
    took, result = await here.run(job)
    stats = result.stats
    note = (
        f"job: {stats.chunks} chunks, {stats.retries} retries; its children alone took "
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
