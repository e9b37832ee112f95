"""The plan of a programme: how each part is decoded, and what the whole will be.

A pure function of job and probes; how long the parts are is known when they are prepared.
"""

from __future__ import annotations

from collections.abc import Sequence

from longtake.contracts.base import Contract
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.loudness import Aim
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.sound import SOUNDS
from longtake.contracts.stitch import Join, Part, SoundOutput, Stitch
from longtake.errors import InputUnsupported, InvalidJob
from longtake.paths import name_of
from media.audio import aligned
from media.plan import AudioPlan, Clip, Plan
from media.planning import make_plan
from media.sounds import rate_of
from media.timeline import Timeline, place

USUAL_HZ, HIGHEST_HZ = 44_100, 48_000
BED_BELOW_LU = 8.0
"""A music bed under a voice; ducking takes it further down."""


class PartPlan(Contract):
    """How a part is decoded: its default track, clipped, at the programme's rate."""

    name: str
    """For people: its number and its file."""
    decode: Plan

    @property
    def sound(self) -> AudioPlan:
        """The track."""
        return self.decode.audio[0]

    @property
    def recipe(self) -> list[str | None]:
        """What of the plan shapes the samples."""
        return [self.decode.demuxer, str(self.sound.stream), *aligned(self.decode, self.sound)]


class StitchPlan(Contract):
    """What will be made. `job` is complete: its preset is resolved."""

    job: Stitch
    rate_hz: int
    channels: int
    parts: tuple[PartPlan, ...]
    """As in the job's timeline."""
    warnings: tuple[str, ...] = ()

    @property
    def aim(self) -> Aim:
        """Where the whole shall land."""
        return self.job.aim(self.channels)

    @property
    def media_s(self) -> float:
        """The parts as they are given, without music beds."""
        return round(sum(self.parts[number].decode.media_s for number in self.job.line), 6)

    def loudness_of(self, number: int) -> float | None:
        """The loudness of a part in the mix; None: as it is."""
        part = self.job.timeline[number]
        if part.loudness_lufs == "keep":
            return None
        if part.loudness_lufs is not None:
            return part.loudness_lufs
        below = BED_BELOW_LU if part.role == "music-bed" else 0.0
        return self.aim.integrated_lufs - below

    def output_rate(self, output: SoundOutput) -> int:
        """The rate of an output in Hz: the programme's, where the codec has it."""
        return rate_of(output.codec, self.rate_hz, None)

    def timeline(self, lengths: Sequence[int]) -> Timeline:
        """Where the parts of the line lie. `lengths`: of all parts, in samples."""
        parts = [self.job.timeline[number] for number in self.job.line]
        joins = [part.join or self.job.join or Join() for part in parts]
        return place([lengths[number] for number in self.job.line], joins, self.rate_hz)


def plan_stitch(job: Stitch, facts: Sequence[MediaFacts]) -> StitchPlan:
    """Plan a programme. `job`: resolved; `facts`: of each part's source.

    Raises InvalidJob and InputUnsupported that name the part.
    """
    names = [f"part {n} ({name_of(part.source)})" for n, part in enumerate(job.timeline, 1)]
    tracks = [_track(name, found) for name, found in zip(names, facts, strict=True)]
    rate = job.sample_rate or _rate(tracks)
    channels = job.channels or min(2, max(track.channels for track in tracks))
    parts = tuple(
        PartPlan(name=name, decode=_decode(name, part, found, rate, channels))
        for name, part, found in zip(names, job.timeline, facts, strict=True)
    )
    plan = StitchPlan(job=job, rate_hz=rate, channels=channels, parts=parts)
    return plan.model_copy(update={"warnings": tuple(_warnings(plan, tracks))})


def _track(name: str, facts: MediaFacts) -> AudioFacts:
    if facts.video:
        raise InputUnsupported(
            f"{name} has a picture, and stitch joins sound only: take its sound out first, with "
            "`longtake transcode IN -o OUT.wav`"
        )
    return next((track for track in facts.audio if track.default), facts.audio[0])


def _rate(tracks: Sequence[AudioFacts]) -> int:
    return HIGHEST_HZ if any(track.sample_rate > USUAL_HZ for track in tracks) else USUAL_HZ


def _decode(name: str, part: Part, facts: MediaFacts, rate: int, channels: int) -> Plan:
    settings = EncodeSettings(
        preset="stitch",
        video=VideoSettings(codec="none"),
        audio=AudioSettings(codec="pcm", channels=channels, sample_rate=rate),
        container="wav",
    )
    try:
        return make_plan(facts, None, settings, clip=Clip(start=part.start, end=part.end))
    except InvalidJob as error:
        raise InvalidJob(f"{name}: {error.message}") from error


def _warnings(plan: StitchPlan, tracks: Sequence[AudioFacts]) -> list[str]:
    words = [
        f"{part.name}: {track.channels} channels are mixed down to {plan.channels}"
        for part, track in zip(plan.parts, tracks, strict=True)
        if track.channels > plan.channels
    ]
    for output in plan.job.outputs:
        rate, rates = plan.output_rate(output), SOUNDS[output.codec].rates
        if rate != plan.rate_hz:
            words.append(
                f"{name_of(output.uri)}: {plan.rate_hz} Hz become {rate}: {output.codec} takes "
                f"{', '.join(map(str, sorted(rates or ())))}"
            )
    return words
