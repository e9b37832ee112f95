"""The plan of a programme: how each part is decoded, and what the whole will be.

A pure function of job and probes; how long the parts are is known when they are prepared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from longtake.contracts.base import Contract
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.loudness import Aim
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.sound import SOUNDS
from longtake.contracts.stitch import Join, Stitch, StitchOutput
from longtake.errors import InputUnsupported, InvalidJob
from longtake.paths import name_of
from media.probing.index import Index
from media.programme.film import FilmPlan
from media.programme.film_planning import joined_sound, plan_film, sound_clip
from media.programme.timeline import Timeline, place
from media.sound.audio import aligned
from media.sound.encoders import rate_of
from media.transcode.plan import AudioPlan, Clip, Plan
from media.transcode.planning import make_plan

USUAL_HZ, HIGHEST_HZ = 44_100, 48_000
ROUNDED_S = 0.01
"""People write the end of a sound as they read it, to hundredths."""
BED_BELOW_LU = 8.0
"""A music bed under a voice; ducking takes it further down."""


class PartPlan(Contract):
    """How a part is decoded: its default track, clipped, at the programme's rate."""

    name: str
    """For people: its number and its file."""
    decode: Plan
    silent: bool = False
    """Whether there is no sound to decode."""
    samples: int | None = None
    """Its exact length, where a picture says it."""

    @property
    def sound(self) -> AudioPlan:
        """The track."""
        return self.decode.audio[0]

    @property
    def recipe(self) -> list[str | None]:
        """What of the plan shapes the samples."""
        return [self.decode.demuxer, str(self.sound.stream), *self.filters]

    @property
    def filters(self) -> tuple[str | None, ...]:
        """From the track to the part's samples."""
        length = self.samples
        exact = (f"apad=whole_len={length}", f"atrim=end_sample={length}") if length else ()
        return (*aligned(self.decode, self.sound), *exact)


class StitchPlan(Contract):
    """What will be made. `job` is complete: its preset is resolved."""

    job: Stitch
    rate_hz: int
    channels: int
    parts: tuple[PartPlan, ...]
    """As in the job's timeline."""
    film: FilmPlan | None = None
    warnings: tuple[str, ...] = ()

    @property
    def aim(self) -> Aim:
        """Where the whole shall land."""
        return self.job.aim(self.channels)

    @property
    def media_s(self) -> float:
        """The parts as they are given, without music beds."""
        return round(sum(self.parts[number].decode.media_s for number in self.job.line), 6)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parts, for people."""
        return tuple(part.name for part in self.parts)

    def loudness_of(self, number: int) -> float | None:
        """The loudness of a part in the mix; None: as it is."""
        part = self.job.timeline[number]
        if part.loudness_lufs == "keep":
            return None
        if part.loudness_lufs is not None:
            return part.loudness_lufs
        below = BED_BELOW_LU if part.role == "music-bed" else 0.0
        return self.aim.integrated_lufs - below

    def output_rate(self, output: StitchOutput) -> int:
        """The rate of an output in Hz: the programme's, where the codec has it."""
        return rate_of(output.codec, self.rate_hz, None)

    def timeline(self, lengths: Sequence[int]) -> Timeline:
        """Where the parts of the line lie. `lengths`: of all parts, in samples."""
        parts = [self.job.timeline[number] for number in self.job.line]
        joins = [part.join or self.job.join or Join() for part in parts]
        return place([lengths[number] for number in self.job.line], joins, self.rate_hz)


def plan_stitch(
    job: Stitch,
    facts: Sequence[MediaFacts],
    indexes: Mapping[int, Index] = MappingProxyType({}),
    *,
    whole: bool = False,
) -> StitchPlan:
    """Plan a programme. `job`: resolved; `facts`: of each part's source; `indexes`: of those
    that have a picture, by their number; `whole`: as for `plan_film`.

    Raises InvalidJob and InputUnsupported that name the part.
    """
    names = [f"part {n} ({name_of(part.source)})" for n, part in enumerate(job.timeline, 1)]
    film = None
    if job.film is not None:
        film = plan_film(job, names, facts, indexes, whole=whole)
    tracks = [_track(name, found, film) for name, found in zip(names, facts, strict=True)]
    heard = [track for track in tracks if track is not None]
    rate = job.sample_rate or (HIGHEST_HZ if film else _rate(heard))
    channels = job.channels or min(2, max((track.channels for track in heard), default=2))
    shots = {shot.number: shot for shot in film.shots} if film else {}
    parts = []
    for number, (name, part, track) in enumerate(zip(names, job.timeline, tracks, strict=True)):
        shot, index = shots.get(number), indexes.get(number)
        clip = Clip(start=part.start, end=part.end)
        if shot is not None and index is not None:
            clip = sound_clip(shot, index)
        parts.append(
            PartPlan(
                name=name,
                decode=_decode(name, facts[number], index, rate, channels, clip),
                silent=track is None,
                samples=round(shot.frames / shot.grid.rate * rate) if shot else None,
            )
        )
    plan = StitchPlan(
        job=joined_sound(job, film) if film else job,
        rate_hz=rate,
        channels=channels,
        parts=tuple(parts),
        film=film,
    )
    shortened = _shortened(job, film, names) if film else []
    return plan.model_copy(update={"warnings": (*_warnings(plan, tracks, facts), *shortened)})


def _track(name: str, facts: MediaFacts, film: FilmPlan | None) -> AudioFacts | None:
    """The track to take; None in a film for a part that has none."""
    if not facts.audio:
        if film is None:
            raise InputUnsupported(
                f"{name} has no sound: leave it out, or make a film (.mp4, .mov, .mkv), where it "
                "is silent"
            )
        return None
    return next((track for track in facts.audio if track.default), facts.audio[0])


def _rate(tracks: Sequence[AudioFacts]) -> int:
    return HIGHEST_HZ if any(track.sample_rate > USUAL_HZ for track in tracks) else USUAL_HZ


def _decode(
    name: str, facts: MediaFacts, index: Index | None, rate: int, channels: int, clip: Clip
) -> Plan:
    settings = EncodeSettings(
        preset="stitch",
        video=VideoSettings(codec="none"),
        audio=AudioSettings(codec="pcm", channels=channels, sample_rate=rate),
        container="wav",
    )
    if not facts.audio:
        return _silence(facts, settings, rate, channels)
    try:
        return make_plan(facts, index, settings, clip=clip)
    except InvalidJob as error:
        raise InvalidJob(f"{name}: {error.message}") from error


def _silence(facts: MediaFacts, settings: EncodeSettings, rate: int, channels: int) -> Plan:
    """A plan without a source for its one track."""
    track = AudioPlan(
        stream=0,
        copied=False,
        codec="none",
        source_channels=channels,
        source_layout="mono" if channels == 1 else "stereo",
        sample_rate=rate,
        channels=channels,
        settings=settings.audio,
    )
    return Plan(
        demuxer=facts.container,
        container=settings.container,
        origin_s=Fraction(),
        end_s=None,
        video=None,
        audio=(track,),
        media_s=facts.duration_s,
        decisions={},
        warnings=(),
    )


def _warnings(
    plan: StitchPlan, tracks: Sequence[AudioFacts | None], facts: Sequence[MediaFacts]
) -> list[str]:
    parts = list(zip(plan.parts, tracks, facts, strict=True))
    words = [
        f"{part.name}: {track.channels} channels are mixed down to {plan.channels}"
        for part, track, _ in parts
        if track is not None and track.channels > plan.channels
    ]
    words += [
        f"{part.name} has no sound: it is silent" for part, track, _ in parts if track is None
    ]
    words += [
        f"{part.name} is {own.duration_s:.2f} s long and is asked for until "
        f"{float(asked.end):g} s: it is taken to its end"
        for part, asked, own in zip(plan.parts, plan.job.timeline, facts, strict=True)
        if asked.end is not None and float(asked.end) > own.duration_s + ROUNDED_S
    ]
    shown = plan.job.line if plan.film else ()
    words += [
        f"{part.name}: its picture is left out"
        for number, (part, _, own) in enumerate(parts)
        if own.video and number not in shown
    ]
    words += [
        f"{part.name}: its subtitles are left out"
        for number, (part, _, own) in enumerate(parts)
        if number in shown and any(stream.kind == "subtitle" for stream in own.other)
    ]
    words += [
        f"{part.name}: {len(own.audio) - 1} of its {len(own.audio)} sound tracks are left out"
        for part, _, own in parts
        if len(own.audio) > 1
    ]
    for output in plan.job.outputs:
        rate, rates = plan.output_rate(output), SOUNDS[output.codec].rates
        if rate != plan.rate_hz:
            words.append(
                f"{name_of(output.uri)}: {plan.rate_hz} Hz become {rate}: {output.codec} takes "
                f"{', '.join(map(str, sorted(rates or ())))}"
            )
    return words


def _shortened(job: Stitch, film: FilmPlan, names: Sequence[str]) -> list[str]:
    """Words for crossfades that the pictures have no room for."""
    found = []
    for shot in film.shots[1:]:
        join = job.timeline[shot.number].join or job.join or Join()
        if shot.overlap < round(join.crossfade_s * film.rate):
            found.append(
                f"{names[shot.number]}: its crossfade was shortened to "
                f"{float(shot.overlap / film.rate):.3f} s, for a picture is in one join at a time"
            )
    return found
