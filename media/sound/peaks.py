"""The sound's least and greatest samples: as JSON for players, and drawn as a picture.

FFmpeg decodes into a pipe; a child of ours reads it, so memory stays small and nothing of the
decoded sound touches the disk. The JSON is version 2 of the format of BBC's audiowaveform
(its doc/DataFormat.md): pairs of 16-bit samples, or of their 256th part cut toward zero.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from longtake.errors import InputCorrupt
from media.children.isolate import in_child
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.tools import simd_baseline
from media.preview.plan import PreviewPlan, Sound

LONGEST_S = 6 * 3600.0
"""The reader's own limit; FFmpeg's watchdog is quicker."""
_BLOCK = 1 << 20
_FOREGROUND, _BACKGROUND = (0x2B, 0x6C, 0xB0), (0xFF, 0xFF, 0xFF)

Pairs = array.array
"""Least and greatest of each channel in turn, for pixel after pixel."""


def sound_command(source: Path, plan: PreviewPlan, sound: Sound, target: Path) -> Ffmpeg:
    """The command that writes the sound as 16-bit samples, from the file's start on."""
    first = round(plan.origin_s * sound.sample_rate)
    mixed = None
    if not sound.split_channels and sound.channels > 1:
        share = "+".join(f"{1 / sound.channels:.9g}*c{n}" for n in range(sound.channels))
        mixed = f"pan=mono|c0={share}"
    return (
        Ffmpeg.quiet()
        .cpu_level(simd_baseline())
        .read(source, plan.demuxer, "-copyts")
        .then("-map", f"0:{sound.stream}", "-vn", "-sn", "-dn")
        .then("-af", filters((f"aresample=async=1:first_pts={first}", mixed, "aformat=s16")))
        .then("-c:a", "pcm_s16le")
        .write(target, "s16le")
    )


async def make_sound(
    source: Path, plan: PreviewPlan, sound: Sound, target: Path, on_tick: OnTick
) -> Finished:
    """Make a part of a preview in `target`. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    pipe = target.with_name(f"{target.name}.pipe")
    os.mkfifo(pipe, 0o600)
    make: Callable[[str, Sound], bytes] = document if sound.part == "peaks" else drawing
    reading = asyncio.ensure_future(in_child(make, str(pipe), sound, timeout_s=LONGEST_S))
    decoding = asyncio.ensure_future(
        run_ffmpeg(sound_command(source, plan, sound, pipe).arguments(), on_tick=on_tick)
    )
    try:
        # If one fails, the other would wait for it at the pipe.
        await asyncio.wait({reading, decoding}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (decoding, reading):
            if task.done():
                task.result()
        finished = await decoding
        await asyncio.to_thread(target.write_bytes, await reading)
    except ProcessFailed as error:
        if "Broken pipe" in error.stderr:
            await reading  # it ended before, and its error tells why
        raise InputCorrupt(
            f"the sound of {source.name} could not be decoded (exit code {error.code}): "
            f"{error.stderr}"
        ) from error
    finally:
        for task in (reading, decoding):
            task.cancel()
        await asyncio.gather(reading, decoding, return_exceptions=True)
        pipe.unlink(missing_ok=True)
    return finished


def document(pipe: str, sound: Sound) -> bytes:
    """The JSON of audiowaveform, from 16-bit samples in `pipe`."""
    channels = _channels(sound)
    pairs = read_pairs(Path(pipe), channels, sound.samples_per_pixel)
    values = list(pairs) if sound.bits == 16 else [int(value / 256) for value in pairs]
    content = {
        "version": 2,
        "channels": channels,
        "sample_rate": sound.sample_rate,
        "samples_per_pixel": sound.samples_per_pixel,
        "bits": sound.bits,
        "length": len(values) // (2 * channels),
        "data": values,
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def drawing(pipe: str, sound: Sound) -> bytes:
    """A PNG of the waveform, from 16-bit samples in `pipe`: full height is full scale."""
    pairs = read_pairs(Path(pipe), 1, sound.samples_per_pixel)
    lows, highs = pairs[0::2], pairs[1::2]
    columns = []
    for x in range(sound.width):
        first = x * len(lows) // sound.width
        last = max(first + 1, (x + 1) * len(lows) // sound.width)
        some = lows[first:last]
        columns.append((min(some), max(highs[first:last])) if some else (0, 0))
    return png(columns, sound.height)


def read_pairs(pipe: Path, channels: int, samples_per_pixel: int) -> Pairs[int]:
    """Least and greatest sample of each channel for every `samples_per_pixel` samples; the last
    pair may stand for fewer."""
    pairs: Pairs[int] = array.array("h")
    for samples in _blocks(pipe, channels * samples_per_pixel):
        for at in range(0, len(samples), channels * samples_per_pixel):
            pixel = samples[at : at + channels * samples_per_pixel]
            for channel in range(channels):
                values = pixel[channel::channels]
                pairs.append(min(values))
                pairs.append(max(values))
    return pairs


def _blocks(pipe: Path, multiple: int) -> Iterator[Pairs[int]]:
    """The samples, in blocks of whole pixels."""
    size = 2 * multiple * max(1, _BLOCK // (2 * multiple))
    with pipe.open("rb") as file:
        while data := file.read(size):
            samples: Pairs[int] = array.array("h", data)
            if sys.byteorder == "big":
                samples.byteswap()
            yield samples


def _channels(sound: Sound) -> int:
    return sound.channels if sound.split_channels else 1


def png(columns: list[tuple[int, int]], height: int) -> bytes:
    """A two-colour PNG (W3C PNG, 3rd edition): a bar from least to greatest in each column."""
    middle = (height - 1) / 2
    edges = [
        (round(middle - high * middle / 32768), round(middle - low * middle / 32768))
        for low, high in columns
    ]
    rows = bytearray()
    for y in range(height):
        bits = "".join("1" if top <= y <= bottom else "0" for top, bottom in edges)
        rows.append(0)  # no row filter
        rows += int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    header = struct.pack(">IIBBBBB", len(columns), height, 1, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", bytes((*_BACKGROUND, *_FOREGROUND))),
            (b"IDAT", zlib.compress(bytes(rows), 9)),
            (b"IEND", b""),
        )
    )
