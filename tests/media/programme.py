"""Make a programme with the engine, step by step as the workflow does, and look at its samples."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longtake.contracts import MediaFacts, Stitch
from longtake.contracts.loudness import Loudness
from longtake.stitching import resolve_stitch
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.programme.crossfade import encode_crossfade
from media.programme.edges import Ready
from media.programme.film import FilmPlan
from media.programme.film_copy import copy_shot
from media.programme.film_file import mux_film, prove_film
from media.programme.mix import mix, warnings_of
from media.programme.outputs import Encoding, finish, level_sound, prove
from media.programme.plan import StitchPlan, plan_stitch
from media.programme.prepare import Prepared, measure_sound, prepare
from media.programme.timeline import Mark, Timeline
from media.sound.level import Result
from media.sound.pcm import Pcm, floats
from media.tags.tagging import cover_at, metadata, tags_of
from media.transcode.fragments import Joining
from media.transcode.video import encode_chunk
from tests.media.engine import no_tick, run


@dataclass(frozen=True)
class Made:
    """A programme: what it was made of, the mix before its last stage, and its outputs."""

    plan: StitchPlan
    parts: list[Prepared]
    timeline: Timeline
    mix: Pcm
    before: Loudness
    outputs: list[Path]
    results: list[Result]
    facts: list[MediaFacts]
    chapters: tuple[Mark, ...]
    warnings: tuple[str, ...]


async def stitch(folder: Path, **asked: Any) -> Made:
    """Make a job's outputs. `folder`: for what lies between the steps."""
    job = resolve_stitch(Stitch.model_validate(asked))
    looks = [await inspect_in_child(Path(part.source)) for part in job.timeline]
    indexes = {n: index for n, (_, index) in enumerate(looks) if index is not None}
    plan = plan_stitch(job, [facts for facts, _ in looks], indexes)
    parts = []
    for number, part in enumerate(plan.parts):
        options, target = job.timeline[number], folder / f"part-{number}.pcm"
        source = Path(options.source)
        made = await prepare(source, part, options.trim or None, plan.channels, target, no_tick)
        parts.append(made)
    ready = [Ready(part.sound, part.loudness) for part in parts]
    target = folder / "mix.pcm"
    timeline, _ = await mix(plan, ready, target, no_tick)
    whole = Pcm(target, plan.rate_hz, plan.channels)
    before, _ = await measure_sound(whole, plan.channels, folder / "report", no_tick)
    chapters = timeline.chapters([job.timeline[number].chapter for number in job.line])
    results, found = [], []
    cover = cover_at(Path(job.cover)) if job.cover else None
    for number, output in enumerate(job.outputs):
        encoding = Encoding(output, plan.output_rate(output), plan.channels)
        carrier, path = folder / f"carrier-{number}", Path(output.uri)
        results.append(await level_sound(whole, encoding, before, plan.aim, carrier, no_tick))
        told = metadata(tags_of(job, None), chapters, plan.rate_hz, output.codec, cover)
        if plan.film is not None and output.film:
            rendition = await pictures(plan, plan.film, indexes, folder)
            await mux_film(rendition, carrier, output.suffix, told, cover, path, no_tick)
            proven = prove_film(path, plan.film, encoding, timeline.samples, plan.rate_hz)
            found.append(await proven)
            continue
        await finish(carrier, encoding, told, cover, path, no_tick)
        found.append(await prove(path, encoding, timeline.samples, plan.rate_hz))
    return Made(
        plan=plan,
        parts=parts,
        timeline=timeline,
        mix=whole,
        before=before,
        outputs=[Path(output.uri) for output in job.outputs],
        results=results,
        facts=found,
        chapters=chapters,
        warnings=warnings_of(plan, ready, timeline),
    )


async def pictures(
    plan: StitchPlan, film: FilmPlan, indexes: Mapping[int, Index], folder: Path
) -> Path:
    """The joined picture of a programme, encoded piece by piece."""
    joined, pieces = folder / "rendition", film.pieces()
    with Joining(joined, len(pieces)) as track:
        for number, piece in enumerate(pieces):
            shot, path = film.shots[piece.shot], folder / f"piece-{number}"
            source = Path(plan.job.timeline[shot.number].source)
            if film.encoded is None:
                await copy_shot(source, film, piece, path, no_tick)
            elif piece.fades:
                into = film.shots[piece.shot + 1].number
                both = (source, Path(plan.job.timeline[into].source))
                await encode_crossfade(both, film, piece, path, no_tick)
            else:
                chunk = shot.plan.picture.chunks[piece.chunk]
                index = indexes[shot.number]
                await encode_chunk(source, shot.plan, index, chunk, path, no_tick)
            track.add(path, (piece.first - piece.own) / film.rate)
    return joined


def channel(sound: Pcm, number: int = 0) -> array[float]:
    """All samples of a channel."""
    return sound.read(0, sound.samples)[number :: sound.channels]


def decoded(path: Path, folder: Path, rate: int, channels: int = 1) -> array[float]:
    """A file's samples, all channels in turn, as any player decodes them."""
    raw = folder / "decoded.f32"
    run("-i", path, "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "f32le", raw)
    assert raw.stat().st_size % (4 * channels) == 0
    return floats(raw.read_bytes())


def largest_step(samples: array[float], first: int, end: int) -> float:
    """The greatest difference of neighbours among these samples."""
    some = samples[max(0, first) : end]
    return max((abs(b - a) for a, b in itertools.pairwise(some)), default=0.0)


def rms_db(samples: array[float]) -> float:
    """Level of the mean square in dBFS."""
    import math

    mean = math.fsum(v * v for v in samples) / max(1, len(samples))
    return 10 * math.log10(mean) if mean else -math.inf
