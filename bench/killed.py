"""`killed_at_90`: what a kill near the end costs, here and in the usual queue."""

from __future__ import annotations

from bench import celery_pattern, cost, footage
from bench.cost import Cost, Meter
from bench.death import freeze, kill
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import RICH, SMOKE, Recipe
from bench.redis import RedisMissing, redis
from bench.report import Measurement, ratio

HOW = (
    "The job of `throughput`. At 90 % of its progress the media worker and its encoders get "
    "SIGKILL; the service mends itself and the job ends. CPU of everything, the lost work too, "
    "against the same job left alone, in turn. Beside it the usual queue: a Celery task "
    "(acks_late, task_reject_on_worker_lost, Redis) that runs the whole FFmpeg command; at 90 % "
    "its worker process and FFmpeg get SIGKILL, and Celery gives the task to a new one. Its CPU "
    "is that of both tries against that of the second, which nobody disturbed."
)
AT = 0.9


async def measure(options: Options) -> Measurement:
    """Longtake, then Celery where it is installed."""
    measurement = Measurement("killed_at_90", f"worker killed at {AT:.0%} of the job", HOW)
    recipe = SMOKE if options.quick else RICH
    film = await footage.rich(options.out / "media", options.film_s(quick_s=20))
    async with lab() as here:
        await _longtake(measurement, here, recipe, film, options.rounds_of(5))
    try:
        async with redis() as url:
            await _celery(measurement, url, recipe, film, options)
    except (RedisMissing, celery_pattern.CeleryMissing) as missing:
        measurement.notes.append(f"the usual queue was not measured: {missing}")
    return measurement


async def _longtake(
    measurement: Measurement, here: Lab, recipe: Recipe, film: Footage, rounds: int
) -> None:
    calm, killed = list[Cost](), list[Cost]()
    for _ in range(rounds):
        here.empty()
        calm.append((await here.run(here.next_job(recipe, film)))[0])
        killed.append(await _killed(measurement, here, recipe, film))
    measurement.rows += [
        ratio("Longtake: CPU", cost.cpu("killed", killed), cost.cpu("undisturbed", calm), 1.1),
        ratio("Longtake: wall", cost.wall("killed", killed), cost.wall("undisturbed", calm)),
    ]
    measurement.notes.append(cost.neighbours(undisturbed=calm, killed=killed))


async def _killed(measurement: Measurement, here: Lab, recipe: Recipe, film: Footage) -> Cost:
    here.empty()
    meter = Meter(here.state.pid)
    handle = await here.longtake.start(here.next_job(recipe, film))
    orphans_s = 0.0
    async for progress in handle.progress():
        if progress.fraction >= AT:
            pid = here.media_worker.pid
            assert pid is not None
            orphans_s = kill(freeze(pid))
            measurement.notes.append(
                f"killed at {progress.fraction:.0%}: {progress.chunks_done} of "
                f"{progress.chunks_total} chunks were done"
            )
            break
    result = await handle.result()
    assert orphans_s, "the job was over before it could be killed"
    measurement.notes.append(f"… then {result.stats.retries} retries")
    return meter.read(orphans_s)


async def _celery(
    measurement: Measurement, url: str, recipe: Recipe, film: Footage, options: Options
) -> None:
    whole, second = list[Cost](), list[Cost]()
    async with celery_pattern.worker(url, options.out) as pool:
        for _ in range(options.rounds_of(5)):
            both, last = await pool.killed_task(recipe, film, options.out / "celery.mp4", AT)
            whole.append(both)
            second.append(last)
    measurement.rows += [
        ratio(
            "Celery + Redis: CPU",
            cost.cpu("killed", whole),
            cost.cpu("undisturbed second try", second),
        ),
        ratio(
            "Celery + Redis: wall",
            cost.wall("killed", whole),
            cost.wall("undisturbed second try", second),
        ),
    ]
