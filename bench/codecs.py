"""`codecs`: HEVC, AV1 and VP9, by one bare FFmpeg command and by a warm service."""

from __future__ import annotations

from bench import footage
from bench.against import compare
from bench.lab import lab
from bench.options import Options
from bench.recipe import Recipe
from bench.report import Measurement

HOW = (
    "As `throughput`, a recipe for each codec. Bare FFmpeg uses all cores the way a person who "
    "knows the encoder asks for it: x265 and SVT-AV1 by themselves, libvpx with `-row-mt 1` and "
    "four tile columns."
)
RECIPES = (
    Recipe(codec="hevc", speed="medium", crf=26),
    Recipe(codec="av1", speed="8", crf=30),
    Recipe(codec="vp9", speed="4", crf=31),
)
QUICK = (
    Recipe(codec="hevc", speed="ultrafast", crf=30),
    Recipe(codec="av1", speed="13", crf=50),
    Recipe(codec="vp9", speed="8", crf=50),
)


async def measure(options: Options) -> Measurement:
    """Time, CPU, bytes and quality of each codec."""
    measurement = Measurement("codecs", "rich 1080p, x265, SVT-AV1 and VP9", HOW)
    film = await footage.rich(
        options.out / "media", options.seconds or (4 if options.quick else 20)
    )
    async with lab() as here:
        for recipe in QUICK if options.quick else RECIPES:
            await compare(measurement, here, recipe, film, options.out, options.rounds_of(3))
    return measurement
