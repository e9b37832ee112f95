"""Level the sound of a file: the plan, and measuring and encoding a track of it.

Planning is a pure function of probe, index and job.
"""

from __future__ import annotations

from pathlib import Path

from longtake.contracts.containers import CONTAINERS, Container, can_hold
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.loudness import Aim, Loudness
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.normalize import Normalize
from longtake.contracts.sound import SOUNDS
from longtake.errors import InputUnsupported, InvalidJob
from media.audio import aligned, encode_audio, read_track
from media.command import Ffmpeg
from media.index import Index
from media.level import Result, bring_to_level
from media.limiter import LevelStage
from media.loudness import measure
from media.plan import AudioPlan, Plan
from media.planning import make_plan
from media.process import Finished, OnTick
from media.sounds import ENCODERS
from media.tools import simd_baseline

_BY_PRESET = {"audio-mp3": "mp3", "audio-opus": "opus", "audio-flac": "flac", "audio-wav": "pcm"}
_BY_DEFAULT = {"webm-vp9": "opus"} | _BY_PRESET
_HIGHEST_BPS = {"mp3": 320_000, "opus": 510_000, "ac3": 640_000, "aac": 512_000}


def plan_normalize(facts: MediaFacts, index: Index | None, job: Normalize) -> Plan:
    """Plan the output: the picture copied, every sound track encoded at its own rate and layout.

    Raises InputUnsupported without sound, and InvalidJob for what contradicts the source.
    """
    if not facts.audio:
        raise InputUnsupported("the source has no sound to normalize")
    codec, why = _codec(facts.audio[0], job)
    settings = EncodeSettings(
        preset="normalize",
        video=VideoSettings(codec="copy" if _keeps_picture(facts, job) else "none"),
        audio=AudioSettings.model_validate(
            {
                "codec": codec,
                "tracks": "all",
                "bitrate_bps": _bitrate(facts.audio[0], codec, job),
                "channels": SOUNDS[codec].most_channels,
            }
        ),
        container=job.container,
    )
    plan = make_plan(facts, index, settings)
    tracks = tuple(_at_its_rate(audio, facts) for audio in plan.audio)
    return plan.model_copy(
        update={
            "audio": tracks,
            "decisions": plan.decisions | {"audio": why},
            "warnings": (*plan.warnings, *_changed(facts, job.container, tracks)),
        }
    )


async def measure_track(
    source: Path, plan: Plan, number: int, report: Path, on_tick: OnTick
) -> tuple[Loudness, Finished]:
    """Measure track `number` of the plan as it will be encoded, at its output's rate and layout.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    command = read_track(source, plan, number)
    audio = plan.audio[number]
    return await measure(command, aligned(plan, audio), audio.sample_rate, report, on_tick)


async def level_track(
    source: Path,
    plan: Plan,
    number: int,
    before: Loudness,
    aim: Aim,
    target: Path,
    on_tick: OnTick,
) -> Result:
    """Encode track `number` to `target` as `aim` says. Raises InputCorrupt, and what `run_ffmpeg`
    raises."""
    audio = plan.audio[number]
    carrier = ENCODERS[audio.settings.codec].demuxer

    async def render(stage: LevelStage, path: Path) -> Finished:
        filters = stage.filters(audio.sample_rate)
        return await encode_audio(source, plan, number, path, on_tick, filters)

    async def remeasure(path: Path) -> tuple[Loudness, Finished]:
        command = Ffmpeg.quiet().cpu_level(simd_baseline()).read(path, carrier)
        command = command.then("-map", "0:a:0")
        return await measure(command, (), audio.sample_rate, path, on_tick)

    return await bring_to_level(
        render, remeasure, before, aim, target, lossy=SOUNDS[audio.settings.codec].lossy
    )


def _codec(track: AudioFacts, job: Normalize) -> tuple[str, str]:
    """The codec of the output, and why."""
    if job.codec is not None:
        return job.codec, f"encoded: {job.codec}, as asked"
    own = "pcm" if track.codec.startswith("pcm_") else track.codec
    if own in SOUNDS and can_hold(job.container, "audio", own):
        return own, f"encoded: {own}, as the source's"
    codec = _BY_DEFAULT.get(CONTAINERS[job.container].preset, "aac")
    return codec, f"encoded: {codec}, for {CONTAINERS[job.container].words} from {track.codec}"


def _bitrate(track: AudioFacts, codec: str, job: Normalize) -> int | None:
    stereo = SOUNDS[codec].bitrate_bps
    if stereo is None:
        if job.bitrate_bps is not None:
            raise InvalidJob(f"{codec} keeps every sample and has no bit rate: leave it out")
        return None
    if job.bitrate_bps is not None:
        return job.bitrate_bps
    pairs = max(1, -(-min(track.channels, SOUNDS[codec].most_channels) // 2))
    default = stereo if codec == "ac3" else stereo * pairs  # AC-3's is for 5.1
    own = track.bitrate_bps if track.codec == codec else None
    return min(_HIGHEST_BPS[codec], max(default, round(own or 0, -3)))


def _keeps_picture(facts: MediaFacts, job: Normalize) -> bool:
    """Where the container is for sound alone, the picture is left out, and a warning says so."""
    return bool(facts.video) and CONTAINERS[job.container].video != ()


def _at_its_rate(audio: AudioPlan, facts: MediaFacts) -> AudioPlan:
    """The source's sample rate wherever the codec has it."""
    rate = next(track.sample_rate for track in facts.audio if track.index == audio.stream)
    rates = SOUNDS[audio.settings.codec].rates
    if rates is None or rate in rates:
        return audio.model_copy(update={"sample_rate": rate})
    return audio


def _changed(facts: MediaFacts, container: Container, tracks: tuple[AudioPlan, ...]) -> list[str]:
    words = []
    if facts.video and CONTAINERS[container].video == ():
        words.append(f"the picture is left out: {CONTAINERS[container].words} holds none")
    rates = {track.index: track.sample_rate for track in facts.audio}
    for number, audio in enumerate(tracks, 1):
        codec = audio.settings.codec
        if audio.channels != audio.source_channels:
            words.append(
                f"sound {number}: {audio.source_channels} channels are mixed down to "
                f"{audio.channels}: {codec} has no more"
            )
        if audio.sample_rate != rates[audio.stream]:
            words.append(
                f"sound {number}: {rates[audio.stream]} Hz became {audio.sample_rate}: {codec} "
                "has no such rate"
            )
    return words
