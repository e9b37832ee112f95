"""Encode a sound track of a source: once, whole, aligned to the output's clock."""

from __future__ import annotations

from pathlib import Path

from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.tools import simd_baseline
from media.sound.encoders import ENCODERS, dither, given_back, layout_filters
from media.sound.limiter import LevelStage
from media.sound.loudness import Measured, encode_measured
from media.transcode.plan import AudioPlan, Plan


def audio_command(
    source: Path, plan: Plan, number: int, target: Path, stage: LevelStage | None = None
) -> Ffmpeg:
    """The command that encodes track `number` of the plan to a file of its own in `target`.

    `stage`: sets the level of the aligned track.
    """
    audio = plan.audio[number]
    return (
        read_track(source, plan, number)
        .then("-af", filters((*aligned(plan, audio), *shaping(audio, stage))))
        .then(*encoder(audio))
        .then("-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")
        .write(target, ENCODERS[audio.settings.codec].muxer, *_options(audio))
    )


def read_track(source: Path, plan: Plan, number: int) -> Ffmpeg:
    """A command that decodes track `number` of the plan, on the source's clock."""
    stream = stream_of(plan, number)
    return read_source(source, plan).then("-map", stream, "-vn", "-sn", "-dn")


def read_source(source: Path, plan: Plan) -> Ffmpeg:
    """A command that reads the plan's source, on its own clock."""
    command = Ffmpeg.quiet().cpu_level(simd_baseline())
    return command.read(source, plan.demuxer, "-copyts", *_seek(plan))


def stream_of(plan: Plan, number: int) -> str:
    """Track `number` of the plan, as FFmpeg names a stream of its first input."""
    return f"0:{plan.audio[number].stream}"


def aligned(plan: Plan, audio: AudioPlan) -> tuple[str | None, ...]:
    """Filters that put a track on the output's clock, and give it its rate and its channels."""
    rate = audio.sample_rate
    end = None if plan.end_s is None else round((plan.end_s - plan.origin_s) * rate)
    return (
        # Moved before `aresample`, which counts its `first_pts` in samples of its input: another
        # number than of its output wherever the rate changes (measured: of an MP3 of 8 kHz that
        # became 48 kHz, the first 0.7 s were lost).
        f"asetpts=PTS-round({plan.origin_s}/TB)" if plan.origin_s else None,
        # From zero on: silence is put before late sound, and what lies before is dropped. Without
        # it, sound that starts late ends up early (measured).
        # A hole is filled from 10 ms on (swresample's own threshold, 100 ms, lets all behind it
        # come early); less is jitter: recorders stamp up to 8 ms off.
        # A mix is scaled so that no sum of channels clips, also in float samples.
        f"aresample={rate}:async=1:min_hard_comp=0.01:first_pts=0:rematrix_maxval=1",
        f"apad=whole_len={round(plan.least_s * rate)}" if plan.least_s is not None else None,
        f"atrim=end_pts={end}" if end is not None else None,
        *layout_filters(audio),
    )


def shaping(audio: AudioPlan, stage: LevelStage | None) -> tuple[str, ...]:
    """Filters between the aligned track and its encoder: the level, what the encoder takes from it
    given back, and dither where samples are rounded."""
    level = (*stage.filters(audio.sample_rate), *given_back(audio)) if stage else ()
    rounds = audio.finer or (stage is not None and stage.changes)
    return (*level, *(dither(audio) if rounds else ()))


def encoder(audio: AudioPlan) -> tuple[str, ...]:
    """The encoder and its settings."""
    arguments = ENCODERS[audio.settings.codec].arguments(audio)
    return (*arguments, "-ar", str(audio.sample_rate))


def recipe(audio: AudioPlan) -> tuple[str, ...]:
    """Everything of the track's settings that shapes its bytes."""
    return (str(audio.stream), *layout_filters(audio), *shaping(audio, None), *encoder(audio))


def _options(audio: AudioPlan) -> tuple[str, ...]:
    # Beyond 4 GB a WAV's length needs the header of EBU Tech 3306.
    return ("-rf64", "auto") if audio.settings.codec == "pcm" else ()


def _seek(plan: Plan) -> tuple[str, ...]:
    """Skip what lies well before the clip; a second of run-in primes the decoder."""
    if plan.origin_s <= 10:
        return ()
    return ("-seek_timestamp", "1", "-ss", f"{int((plan.origin_s - 1) * 1_000_000)}us")


async def encode_audio(
    source: Path,
    plan: Plan,
    number: int,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Encode a track to `target`.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    command = audio_command(source, plan, number, target)
    try:
        return await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise _not_encoded(source, error) from error


async def encode_level(
    source: Path, plan: Plan, number: int, target: Path, on_tick: OnTick, stage: LevelStage
) -> tuple[Measured, Finished]:
    """Encode a track to `target` at the level that `stage` sets, and measure what was encoded.

    Raises InputCorrupt, and what `run_child` raises.
    """
    command = audio_command(source, plan, number, target, stage)
    try:
        return await encode_measured(command, plan.audio[number].sample_rate, target, on_tick)
    except ProcessFailed as error:
        raise _not_encoded(source, error) from error


def _not_encoded(source: Path, error: ProcessFailed) -> InputCorrupt:
    return InputCorrupt(
        f"the sound of {source.name} could not be encoded (exit code {error.code}): {error.stderr}"
    )
