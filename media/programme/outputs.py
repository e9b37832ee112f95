"""The outputs of a programme: the mix brought to its level in each codec, tagged, and proven."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from longtake.contracts.encode import AudioSettings
from longtake.contracts.loudness import Aim, Loudness
from longtake.contracts.media import MediaFacts
from longtake.contracts.sound import SOUNDS
from longtake.contracts.stitch import StitchCodec, StitchOutput
from longtake.errors import InputCorrupt
from longtake.paths import shown
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.probing.in_child import inspect_in_child
from media.programme.edges import EDGE_S
from media.programme.prepare import read_pcm, spread
from media.sound.audio import encoder
from media.sound.encoders import ENCODERS, dither, given_back, said_to_be_lame
from media.sound.level import Result, bring_to_level
from media.sound.limiter import LevelStage
from media.sound.loudness import encode_measured, measure_gated
from media.sound.pcm import Pcm, removed
from media.tags.covers import FRONT_COVER
from media.tags.id3 import name_comments
from media.tags.tagging import Cover
from media.transcode.plan import AudioPlan

FRAME_SAMPLES: dict[StitchCodec, int] = {"mp3": 1152, "aac": 1024, "opus": 960, "flac": 0, "pcm": 0}
"""What an encoder may round a length by: one of its frames."""

_COUNT = re.compile(r"Number of samples: (\d+)")


@dataclass(frozen=True)
class Encoding:
    """How an output is encoded."""

    output: StitchOutput
    rate_hz: int
    channels: int

    @property
    def track(self) -> AudioPlan:
        """The output as a track."""
        output = self.output
        return AudioPlan(
            stream=0,
            copied=False,
            codec="pcm",
            source_channels=self.channels,
            source_layout="mono" if self.channels == 1 else "stereo",
            sample_rate=self.rate_hz,
            channels=self.channels,
            bits=output.bit_depth or 16,
            settings=AudioSettings(
                codec=output.codec, bitrate_bps=output.bitrate_bps, channels=self.channels
            ),
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        """The encoder and its settings."""
        if self.output.vbr is None:
            return encoder(self.track)
        return ("-c:a", "libmp3lame", "-q:a", str(self.output.vbr), "-ar", str(self.rate_hz))

    @property
    def given_back(self) -> tuple[str, ...]:
        """The filter that raises the sound by what the encoder takes at a constant bit rate."""
        return given_back(self.track) if self.output.vbr is None else ()

    @property
    def muxer(self) -> tuple[str, ...]:
        """FFmpeg's muxer of the finished file, and its options."""
        suffix = PurePosixPath(shown(self.output.uri)).suffix.lower()
        if suffix == ".ogg":
            return ("ogg",)
        return {
            "mp3": ("mp3", "-id3v2_version", "4"),
            "aac": ("ipod", "-movflags", "+faststart"),
            "opus": ("opus",),
            "flac": ("flac",),
            "pcm": ("wav", "-rf64", "auto"),  # EBU Tech 3306 beyond 4 GB
        }[self.output.codec]


def front(sound: Pcm, encoding: Encoding, *, alone: bool) -> tuple[str | None, ...]:
    """Filters before the last stage. `alone`: a part as a file of its own, without neighbours."""
    edge = round(EDGE_S * sound.rate_hz)
    fades = (
        f"afade=t=in:ss=0:ns={edge}",
        f"afade=t=out:ss={max(0, sound.samples - edge)}:ns={edge}",
    )
    return (spread(sound.channels, encoding.channels), *(fades if alone else ()))


async def level_sound(
    sound: Pcm,
    encoding: Encoding,
    before: Loudness,
    aim: Aim,
    target: Path,
    on_tick: OnTick,
    *,
    alone: bool = False,
) -> Result:
    """Encode a sound to `target`, in its codec's carrier, as `aim` says.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    codec = encoding.output.codec
    carrier = ENCODERS[codec]
    first, silent = front(sound, encoding, alone=alone), before.sample_peak_dbfs is None

    async def encode(stage: LevelStage, path: Path) -> tuple[Loudness, Finished]:
        level = (*stage.filters(sound.rate_hz), _resampled(sound, encoding), *encoding.given_back)
        steps = (*first, *level, *(() if silent else dither(encoding.track)))
        command = (
            read_pcm(sound)
            .then("-af", filters(steps), *encoding.arguments)
            .then("-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")
            .write(path, carrier.muxer, *(("-rf64", "auto") if codec == "pcm" else ()))
        )
        try:
            found, finished = await encode_measured(command, encoding.rate_hz, path, on_tick)
        except ProcessFailed as error:
            raise _not_written(error) from error
        return found.loudness, finished

    async def sketch(stages: Sequence[LevelStage]) -> tuple[Sequence[float | None], Finished]:
        fronts = [(*first, *stage.sketch()) for stage in stages]
        return await measure_gated(read_pcm(sound), "0:a", fronts, sound.rate_hz, target, on_tick)

    lossy = SOUNDS[codec].lossy
    return await bring_to_level(encode, before, aim, target, lossy=lossy, sketch=sketch)


async def finish(
    carrier: Path,
    encoding: Encoding,
    metadata: str,
    cover: Cover | None,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Put an encoded sound into its format, with tags, chapters and cover: a copy.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    told = target.with_name(f"{target.name}.tags")
    codec = encoding.output.codec
    with removed(told):
        told.write_text(metadata, "utf-8")
        command = Ffmpeg.quiet().read(carrier, ENCODERS[codec].demuxer).read_metadata(told)
        maps = ["-map", "0:a:0"]
        if cover is not None and codec in ("mp3", "aac", "flac"):
            command = command.read_image(cover.path, cover.codec)
            maps += ["-map", "2:v:0", "-disposition:v:0", "attached_pic", *FRONT_COVER]
        muxer, *options = encoding.muxer
        command = (
            command.then(*maps, "-c", "copy", "-map_metadata", "1", "-map_chapters", "1")
            .then(*(said_to_be_lame() if codec == "mp3" else ()), "-fflags", "+bitexact")
            .write(target, muxer, *options)
        )
        finished = await _run(command, on_tick)
    if codec == "mp3":
        await asyncio.to_thread(name_comments, target)
    return finished


async def prove(target: Path, encoding: Encoding, samples: int, rate_hz: int) -> MediaFacts:
    """Look at a finished file as a stranger would, and count what it decodes to.

    `samples`: of the programme, at `rate_hz`. Raises InputCorrupt if it is not that long: to the
    sample, or in a lossy codec to one of its frames.
    """
    facts, _ = await inspect_in_child(target)
    command = Ffmpeg.quiet().read(target, facts.container).then("-map", "0:a:0")
    count = "astats=measure_perchannel=none:measure_overall=Number_of_samples"
    finished = await _run(command.then("-af", count).write("-", "null").measuring(), _unheard)
    found = _COUNT.search(finished.stderr)
    decoded = int(found[1]) if found else 0
    wanted = samples * encoding.rate_hz / rate_hz
    codec = encoding.output.codec
    slack = FRAME_SAMPLES[codec] if encoding.rate_hz == rate_hz or SOUNDS[codec].lossy else 1
    if abs(decoded - wanted) > slack:
        raise InputCorrupt(
            f"the {codec} came out with {decoded} samples; it should have {wanted:.0f}"
        )
    return facts


def _resampled(sound: Pcm, encoding: Encoding) -> str | None:
    return None if encoding.rate_hz == sound.rate_hz else f"aresample={encoding.rate_hz}"


def _unheard(_: object) -> None:
    pass


async def _run(command: Ffmpeg, on_tick: OnTick) -> Finished:
    try:
        return await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise _not_written(error) from error


def _not_written(error: ProcessFailed) -> InputCorrupt:
    return InputCorrupt(
        f"the programme could not be written (exit code {error.code}): {error.stderr}"
    )
