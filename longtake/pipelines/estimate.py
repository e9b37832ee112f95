"""What a pipeline will cost, before it runs: an estimate, right within a factor of two or three.

CPU time per pixel and per second of sound, as measured on one core of a server of 2023 with real
footage at the presets' own speeds. Hard scenes, slow presets and other machines move it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from longtake import presets
from longtake.contracts.command import Command
from longtake.contracts.encode import EncodeSettings
from longtake.contracts.job import Job
from longtake.contracts.normalize import Normalize
from longtake.contracts.package import Package, PackageOptions
from longtake.contracts.pipeline import Checksums, Facts, Pipeline, PipelineDocument, ProbeStep
from longtake.contracts.preview import Preview
from longtake.contracts.stitch import Stitch
from longtake.contracts.transcode import Transcode
from longtake.contracts.transcribe import Transcribe
from longtake.packages import resolve_package
from longtake.pipelines.check import look
from longtake.pipelines.graph import Graph
from longtake.pipelines.ports import taken_at
from longtake.pipelines.references import written

ENCODE_S: Mapping[str, float] = {
    "h264": 0.033,
    "hevc": 0.057,
    "av1": 0.05,
    "vp9": 0.1,
    "prores": 0.085,
    "ffv1": 0.016,
}
"""CPU seconds for a million pixels, by codec; others as H.264."""
DECODE_S = 0.003
"""CPU seconds for a million pixels."""
SOUND_S = 0.01
"""CPU seconds for a second of stereo, encoded once."""
LEVEL_S = 0.03
"""CPU seconds for a second of stereo that is decoded, levelled, encoded and measured."""
SPEECH_S = 0.3
"""CPU seconds for a second of speech, with a small model."""
READ_S = 2e-9
"""CPU seconds for a byte that is read and hashed."""
LADDER = 1.75
"""Pixels of a ladder 1080, 720, 480, 360 for one of its top."""


def estimate(
    document: PipelineDocument, given: Mapping[str, Sequence[Facts]]
) -> dict[str, float | None]:
    """CPU seconds of each step of a sound document; None where facts of what it reads lack.

    `given` are the facts of the inputs, by name, of those that could be looked at.
    """
    jobs = look(document).jobs
    facts: dict[str, Sequence[Facts]] = {f"inputs.{name}": each for name, each in given.items()}
    costs: dict[str, float | None] = {}
    for name in Graph(document).order:
        read = list(_read(document, name, facts))
        if isinstance(job := jobs[name], Pipeline):
            costs[name] = _inside(document, name, job, facts)
            facts[name] = tuple(read[:1])
            continue
        if not jobs[name].READS:
            costs[name] = 0.0
            continue
        costs[name] = sum(_cost(jobs[name], read)) if read else None
        if read:
            facts[name] = (_made(jobs[name], read),)
    return costs


def _inside(
    document: PipelineDocument, name: str, job: Pipeline, facts: Mapping[str, Sequence[Facts]]
) -> float | None:
    """What all steps of a pipeline cost that is a step itself."""
    assert isinstance(job.pipeline, PipelineDocument)
    given: dict[str, list[Facts]] = {}
    for place, reference in written(document.steps[name]):
        if place[0] == "inputs":
            given.setdefault(str(place[1]), []).extend(_of(reference["from"], facts))
    costs = [cost for cost in estimate(job.pipeline, given).values() if cost is not None]
    return sum(costs) if costs else None


def _read(
    document: PipelineDocument, name: str, facts: Mapping[str, Sequence[Facts]]
) -> Iterator[Facts]:
    """Facts of the media that a step reads."""
    step = document.steps[name]
    for place, reference in written(step):
        if taken_at(step.kind, place) in ("media", "file"):
            yield from _of(reference["from"], facts)


def _of(reference: str, facts: Mapping[str, Sequence[Facts]]) -> Sequence[Facts]:
    """Facts of what a reference means, or of all that its step makes."""
    return facts.get(reference) or facts.get(reference.partition(".")[0], ())


def _made(job: Job, read: Sequence[Facts]) -> Facts:
    """Facts of what a step makes, as far as costs of later steps depend on them."""
    first = read[0]
    if isinstance(job, Stitch):
        return first.model_copy(update={"duration_s": sum(each.duration_s for each in read)})
    if isinstance(job, Transcode):
        share = _scaled(first, presets.resolve(job))
        return first.model_copy(
            update={"width": round(first.width * share), "height": round(first.height * share)}
        )
    return first


def _cost(job: Job, read: Sequence[Facts]) -> Iterator[float]:
    """CPU seconds, part by part."""
    first = read[0]
    sound_s = sum(each.duration_s for each in read if each.has_audio)
    match job:
        case Transcode():
            yield from _transcoded(first, presets.resolve(job))
        case Package():
            yield from _packaged(first, resolve_package(job))
        case Command():
            yield _megapixels(first) * (DECODE_S + ENCODE_S["h264"]) + SOUND_S * sound_s
        case Preview():
            yield _megapixels(first) * DECODE_S + SOUND_S * sound_s
        case Normalize():
            yield LEVEL_S * sound_s
        case Stitch():
            yield LEVEL_S * sound_s * len(job.outputs)
            if job.film is not None:
                yield sum(map(_megapixels, read)) * (DECODE_S + ENCODE_S["h264"])
        case ProbeStep() | Checksums():
            yield READ_S * sum(each.bytes for each in read)
        case Transcribe():
            yield SPEECH_S * sound_s


def _transcoded(facts: Facts, settings: EncodeSettings) -> Iterator[float]:
    video, audio = settings.video.codec, settings.audio.codec
    if video not in ("copy", "none"):
        pixels = _megapixels(facts)
        share = _scaled(facts, settings) ** 2
        yield pixels * DECODE_S + pixels * share * ENCODE_S.get(video, ENCODE_S["h264"])
    if audio not in ("copy", "none") and facts.has_audio:
        yield SOUND_S * facts.duration_s


def _packaged(facts: Facts, options: PackageOptions) -> Iterator[float]:
    pixels = _megapixels(facts)
    for codec in options.codecs or ():
        rungs = LADDER
        if isinstance(options.ladder, tuple):
            lines = [rung.height for rung in options.ladder if rung.codec in (None, codec)]
            rungs = sum((line / max(1, _lines(facts))) ** 2 for line in lines)
        yield pixels * (DECODE_S + rungs * ENCODE_S[codec])
    yield SOUND_S * facts.duration_s if facts.has_audio else 0.0


def _scaled(facts: Facts, settings: EncodeSettings) -> float:
    """A side of the picture that comes out for one of what goes in; none is enlarged."""
    height = settings.video.height
    return min(1.0, height / max(1, _lines(facts))) if height else 1.0


def _lines(facts: Facts) -> int:
    return min(facts.width, facts.height)


def _megapixels(facts: Facts) -> float:
    return facts.width * facts.height * facts.frame_rate * facts.duration_s / 1e6
