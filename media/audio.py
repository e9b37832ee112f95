"""Encode the sound of a source: once, whole, aligned to the output's clock."""

from __future__ import annotations

from pathlib import Path

from longtake.errors import InputCorrupt
from media.command import Ffmpeg, filters
from media.plan import AudioPlan, Plan
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.tools import simd_baseline


def audio_command(source: Path, plan: Plan, target: Path) -> Ffmpeg:
    """The command that encodes the plan's first sound track to an M4A in `target`."""
    audio = _audio_of(plan)
    rate = audio.sample_rate
    # Zero of the output's clock, in samples: silence is put before late sound, and what lies
    # before is dropped. Without it, sound that starts late ends up early (measured).
    first = round(plan.origin_s * rate)
    end = None if plan.end_s is None else round((plan.end_s - plan.origin_s) * rate)
    return (
        Ffmpeg.quiet()
        .cpu_level(simd_baseline())
        .read(source, plan.demuxer, "-copyts", *_seek(plan))
        .then("-map", f"0:{audio.streams[0]}", "-vn", "-sn", "-dn")
        .then(
            "-af",
            filters(
                (
                    f"aresample={rate}:async=1:first_pts={first}",
                    f"asetpts=PTS-({first})" if first else None,
                    f"atrim=end_pts={end}" if end is not None else None,
                )
            ),
        )
        .then(*encoder(audio))
        .then("-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")
        .write(target, "ipod")
    )


def encoder(audio: AudioPlan) -> tuple[str, ...]:
    """The encoder and its settings."""
    return (
        *("-c:a", "aac", "-b:a", str(audio.settings.bitrate_bps)),
        *("-ac", str(audio.channels), "-ar", str(audio.sample_rate)),
    )


def _seek(plan: Plan) -> tuple[str, ...]:
    """Skip what lies well before the clip; a second of run-in primes the decoder."""
    if plan.origin_s <= 10:
        return ()
    return ("-seek_timestamp", "1", "-ss", f"{int((plan.origin_s - 1) * 1_000_000)}us")


async def encode_audio(source: Path, plan: Plan, target: Path, on_tick: OnTick) -> Finished:
    """Encode the sound to `target`. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    try:
        return await run_ffmpeg(audio_command(source, plan, target).arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the sound of {source.name} could not be encoded (exit code {error.code}): "
            f"{error.stderr}"
        ) from error


def _audio_of(plan: Plan) -> AudioPlan:
    if plan.audio is None:
        raise ValueError("the plan has no sound")
    return plan.audio
