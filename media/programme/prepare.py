"""Prepare a part of a programme: decode, clip, take silence out, measure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from longtake.contracts.loudness import Loudness
from longtake.contracts.stitch import Trim
from longtake.errors import InputCorrupt
from media.children.process import NO_WORK, Finished, OnTick, ProcessFailed, in_turn, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.tools import simd_baseline
from media.programme.plan import PartPlan
from media.sound.audio import read_track
from media.sound.loudness import measure
from media.sound.pcm import ENCODER, MUXER, SAMPLE_BYTES, Pcm, removed
from media.sound.silence import cut, kept, scan


@dataclass(frozen=True)
class Prepared:
    """A part, ready for the mix."""

    sound: Pcm
    decoded: int
    """Samples before silence was taken out."""
    loudness: Loudness
    """As it is in a programme of that many channels."""
    finished: Finished


async def prepare(
    source: Path, part: PartPlan, trim: Trim | None, channels: int, target: Path, on_tick: OnTick
) -> Prepared:
    """Write a part's samples to `target`. `channels`: of the programme.

    Raises InputCorrupt that names the part, and what `run_ffmpeg` raises.
    """
    whole = target.with_name(f"{target.name}.whole")
    report = target.with_name(f"{target.name}.report")
    sound = Pcm(target, part.sound.sample_rate, part.sound.channels)
    with removed(whole):
        decoded = Pcm(whole, sound.rate_hz, sound.channels)
        done = [await _decode(source, part, whole, on_tick)]
        samples = decoded.samples
        if not samples:
            raise InputCorrupt(f"{part.name} holds no sound where it is to be taken from")
        if trim is None:
            whole.replace(target)
        else:
            levels, scanned = await scan(decoded, report, on_tick)
            done.append(scanned)
            spans = kept(levels, samples, sound.rate_hz, trim)
            await asyncio.to_thread(cut, decoded, spans, target)
    loudness, measured = await measure_sound(sound, channels, report, on_tick)
    return Prepared(sound, samples, loudness, in_turn(*done, measured))


async def measure_sound(
    sound: Pcm, channels: int, report: Path, on_tick: OnTick
) -> tuple[Loudness, Finished]:
    """How loud a sound is where it is played on so many channels."""
    front = (spread(sound.channels, channels),)
    command, rate_hz = read_pcm(sound), sound.rate_hz
    found, finished = await measure(command, "0:a", front, rate_hz, report, on_tick)
    return found.loudness, finished


def read_pcm(sound: Pcm) -> Ffmpeg:
    """A command that reads a sound between steps."""
    command = Ffmpeg.quiet().cpu_level(simd_baseline())
    return command.read_samples(sound.path, sound.rate_hz, sound.channels)


def spread(channels: int, wanted: int) -> str | None:
    """The filter that puts one channel on both sides, as it is: a mix would halve its power."""
    return "pan=stereo|c0=c0|c1=c0" if channels < wanted else None


async def _decode(source: Path, part: PartPlan, target: Path, on_tick: OnTick) -> Finished:
    if part.silent:
        return await _be_silent(part, target)
    command = (
        read_track(source, part.decode, 0)
        .then("-af", filters(part.filters))
        .then("-c:a", ENCODER)
        .write(target, MUXER)
    )
    try:
        return await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"{part.name} could not be decoded (exit code {error.code}): {error.stderr}"
        ) from error


async def _be_silent(part: PartPlan, target: Path) -> Finished:
    """The samples of a picture without sound."""
    samples = part.samples or round(part.decode.media_s * part.sound.sample_rate)
    with target.open("wb") as file:
        file.truncate(samples * part.sound.channels * SAMPLE_BYTES)
    return NO_WORK
