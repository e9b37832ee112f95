"""Level the sound of a file: the plan, and measuring and encoding a track of it.

Planning is a pure function of probe, index and job.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from longtake.contracts.containers import CONTAINERS, Container, can_hold, suffixes_for
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.loudness import Aim, Loudness
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.normalize import Normalize
from longtake.contracts.sound import SOUNDS, why_wrong_rate
from longtake.errors import InputUnsupported, InvalidJob
from media.children.process import Finished, OnTick
from media.probing.index import Index
from media.sound.audio import aligned, encode_level, read_source, stream_of
from media.sound.level import Result, bring_to_level
from media.sound.limiter import LevelStage
from media.sound.loudness import Measured, measure, measure_gated
from media.tags.gains import tells_loudness
from media.transcode.plan import AudioPlan, Plan
from media.transcode.planning import make_plan

_BY_PRESET = {"audio-mp3": "mp3", "audio-opus": "opus", "audio-flac": "flac", "audio-wav": "pcm"}
_BY_DEFAULT = {"webm-vp9": "opus"} | _BY_PRESET


def plan_normalize(
    facts: MediaFacts, index: Index | None, job: Normalize, container: Container
) -> Plan:
    """Plan the output: the picture copied, every sound track encoded at its own rate and layout.

    Raises InputUnsupported without sound, and InvalidJob for what contradicts the source.
    """
    _check_sound(facts)
    codec, why = _codec(facts.audio, job, container)
    settings = EncodeSettings(
        preset="normalize",
        video=VideoSettings(codec="copy" if _keeps_picture(facts, container) else "none"),
        audio=AudioSettings.model_validate(
            {
                "codec": codec,
                "tracks": "all",
                "channels": SOUNDS[codec].most_channels,
            }
        ),
        container=container,
    )
    plan = make_plan(facts, index, settings)
    tracks = tuple(_as_its_source(audio, facts, job) for audio in plan.audio)
    return plan.model_copy(
        update={
            "audio": tracks,
            "decisions": plan.decisions | {"audio": why},
            "warnings": (*plan.warnings, *_changed(facts, container, tracks)),
            "tags": tuple(name for name in plan.tags if not tells_loudness(name)),
            "untrue": tuple(name for name in plan.tags if tells_loudness(name)),
        }
    )


def plan_listening(facts: MediaFacts) -> Plan:
    """Plan the sound as it is heard: decoded, at its own rate and layout, to be measured alone.

    Raises InputUnsupported without sound.
    """
    _check_sound(facts)
    settings = EncodeSettings(
        preset="normalize",
        video=VideoSettings(codec="none"),
        audio=AudioSettings(codec="pcm", tracks="all", channels=SOUNDS["pcm"].most_channels),
        container="mkv",
    )
    return make_plan(facts, None, settings)


def check_one_track(facts: MediaFacts, name: str) -> None:
    """Files that are taken as one sound have one track each. Raises InputUnsupported."""
    if len(facts.audio) > 1:
        raise InputUnsupported(
            f"{name} has {len(facts.audio)} sound tracks, and a gain for a whole file is for one: "
            "take the track out first, with `longtake transcode --video none --audio-track`"
        )


async def measure_track(
    source: Path, plan: Plan, number: int, report: Path, on_tick: OnTick
) -> tuple[Measured, Finished]:
    """Measure track `number` of the plan as it will be encoded, at its output's rate and layout.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    audio, stream = plan.audio[number], stream_of(plan, number)
    front, rate_hz = aligned(plan, audio), audio.sample_rate
    command = read_source(source, plan)
    return await measure(command, stream, front, rate_hz, report, on_tick)


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

    async def encode(stage: LevelStage, path: Path) -> tuple[Loudness, Finished]:
        found, finished = await encode_level(source, plan, number, path, on_tick, stage)
        return found.loudness, finished

    async def sketch(stages: Sequence[LevelStage]) -> tuple[Sequence[float | None], Finished]:
        command, stream = read_source(source, plan), stream_of(plan, number)
        fronts = [(*aligned(plan, audio), *stage.sketch()) for stage in stages]
        return await measure_gated(command, stream, fronts, audio.sample_rate, target, on_tick)

    lossy = SOUNDS[audio.settings.codec].lossy
    return await bring_to_level(encode, before, aim, target, lossy=lossy, sketch=sketch)


def _check_sound(facts: MediaFacts) -> None:
    if not facts.audio:
        raise InputUnsupported("the source has no sound to normalize")


def _codec(tracks: Sequence[AudioFacts], job: Normalize, container: Container) -> tuple[str, str]:
    """The codec of the output, and why."""
    if job.codec is not None:
        return job.codec, f"encoded: {job.codec}, as asked"
    sources = list(dict.fromkeys(track.codec for track in tracks))
    own = "pcm" if sources[0].startswith("pcm_") else sources[0]
    if own in SOUNDS and can_hold(container, "audio", own):
        whose = "source's" if len(sources) == 1 else "first track's"
        return own, f"encoded: {own}, as the {whose}"
    codec = _BY_DEFAULT.get(CONTAINERS[container].preset, "aac")
    words = f"for {CONTAINERS[container].words} from {' and '.join(sources)}"
    return codec, f"encoded: {codec}, {words}"


def _bitrate(track: AudioFacts, codec: str, job: Normalize) -> int | None:
    if job.bitrate_bps is not None:
        why = why_wrong_rate(codec, job.bitrate_bps)
        if why:
            raise InvalidJob(why)
        return job.bitrate_bps
    stereo, most = SOUNDS[codec].bitrate_bps, SOUNDS[codec].most_bps
    if stereo is None or most is None:
        return None
    pairs = max(1, -(-min(track.channels, SOUNDS[codec].most_channels) // 2))
    default = stereo if codec == "ac3" else stereo * pairs  # AC-3's is for 5.1
    own = track.bitrate_bps if track.codec == codec else None
    return min(most, max(default, round(own or 0, -3)))


def _keeps_picture(facts: MediaFacts, container: Container) -> bool:
    """Where the container is for sound alone, the picture is left out, and a warning says so.

    Raises InvalidJob where it is for pictures, but not for this one.
    """
    if not facts.video or CONTAINERS[container].video == ():
        return False
    codec, words = facts.video[0].codec, CONTAINERS[container].words
    if not can_hold(container, "video", codec):
        raise InvalidJob(
            f"the picture is copied, and {words} cannot hold {codec}: write to "
            f"{suffixes_for('video', codec)}, or give it another picture first, with "
            "`longtake transcode`"
        )
    return True


def _as_its_source(audio: AudioPlan, facts: MediaFacts, job: Normalize) -> AudioPlan:
    """A bit rate for its channels, and the source's sample rate wherever the codec has it."""
    track = next(track for track in facts.audio if track.index == audio.stream)
    codec = audio.settings.codec
    rates = SOUNDS[codec].rates
    bitrate = {"bitrate_bps": _bitrate(track, codec, job)}
    return audio.model_copy(
        update={
            "settings": audio.settings.model_copy(update=bitrate),
            "sample_rate": (
                track.sample_rate
                if rates is None or track.sample_rate in rates
                else audio.sample_rate
            ),
        }
    )


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
