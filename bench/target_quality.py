"""`quality`: a job that asks for a VMAF score, against one that asks for the mean of its CRFs."""

from __future__ import annotations

from bench import cost, footage
from bench.lab import lab
from bench.options import Options
from bench.quality import compare
from bench.recipe import RICH, SMOKE
from bench.report import Measurement, distance, ratio, series

TARGET = 95.0
HOW = (
    "The rich film as x264 with `quality`, then with one `crf` for all of it, the mean of those "
    "that its chunks got, each from an empty work store. VMAF of every frame of the outputs, "
    "measured apart."
)
EVERY = 1


async def measure(options: Options) -> Measurement:
    """Distance from the target, and CPU beyond the encode."""
    measurement = Measurement("quality", "target quality, rich 1080p, x264", HOW)
    film = await footage.rich(
        options.out / "media", options.seconds or (10 if options.quick else 180)
    )
    recipe = SMOKE if options.quick else RICH
    async with lab() as here:
        here.empty()
        job = here.next_job(recipe, film)
        assert not isinstance(job.preset, str)
        assert job.preset is not None
        video = job.preset.video.model_copy(update={"crf": None, "quality": f"vmaf:{TARGET:g}"})
        preset = job.preset.model_copy(update={"video": video})
        searched, result = await here.run(job.model_copy(update={"preset": preset}))
        reached = result.quality
        assert reached is not None, "no quality was asked for"
        here.empty()
        again = here.next_job(recipe, film)
        crf = round(reached.crf * 4) / 4
        video = job.preset.video.model_copy(update={"crf": crf})
        preset = job.preset.model_copy(update={"video": video})
        outright, plain = await here.run(again.model_copy(update={"preset": preset}))
        found = await compare(here.home.path / "output-1.mp4", film.path, EVERY)
        even = await compare(here.home.path / "output-2.mp4", film.path, EVERY)
    measurement.rows += [
        distance(
            "VMAF, distance from the target",
            series("Longtake", "VMAF", [found.vmaf]),
            series("target", "VMAF", [TARGET]),
            0.5,
        ),
        ratio("CPU", cost.cpu("quality", [searched]), cost.cpu("one crf", [outright]), 1.15),
        ratio("wall", cost.wall("quality", [searched]), cost.wall("one crf", [outright])),
    ]
    measurement.notes.append(
        f"children alone: {result.stats.cpu_s:.1f} s of CPU, with one crf {plain.stats.cpu_s:.1f} s"
    )
    waves = ", ".join(f"{w.chunks} at crf {w.crf:g}: {w.vmaf:.2f}" for w in reached.waves)
    measurement.notes.append(
        f"the job says VMAF {reached.vmaf:.2f}, of every {reached.every}th frame; chunks in waves: "
        f"{waves}; {reached.again} of them encoded anew"
    )
    measurement.notes.append(
        f"VMAF of every frame: {found.vmaf:.2f} with crf {reached.finest:g} to "
        f"{reached.coarsest:g}, {even.vmaf:.2f} with crf {crf:g} for all"
    )
    return measurement
