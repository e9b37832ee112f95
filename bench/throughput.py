"""`throughput`: a minute of rich 1080p, by one bare FFmpeg command and by a warm service."""

from __future__ import annotations

from bench import footage
from bench.against import compare
from bench.lab import lab
from bench.options import Options
from bench.recipe import RICH, SMOKE
from bench.report import Measurement

HOW = (
    "x264 medium crf 23, keyframes at most 2 s apart, AAC 128 kbit/s, MP4 with faststart: one "
    "FFmpeg command on all cores and a job on a warm service, in turn. Before each job the work "
    "store and the cache of fingerprints are emptied. Wall of a job: call to return of "
    "`Longtake.run`. CPU of a job: server, supervisor, workers, every child, and the client."
)


async def measure(options: Options) -> Measurement:
    """Time, CPU, bytes and quality."""
    measurement = Measurement("throughput", "rich 1080p, x264 medium crf 23", HOW)
    film = await footage.rich(options.out / "media", options.film_s(quick_s=8))
    recipe = SMOKE if options.quick else RICH
    async with lab() as here:
        await compare(measurement, here, recipe, film, options.out, options.rounds_of(5))
    return measurement
