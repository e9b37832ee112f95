"""The file of a programme with pictures: picture and sound side by side, tagged, and proven."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from longtake.contracts.containers import CONTAINER_OF_SUFFIX
from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.probing.in_child import inspect_in_child
from media.programme.film import FilmPlan
from media.programme.outputs import Encoding, prove
from media.sound.encoders import ENCODERS
from media.sound.pcm import removed
from media.tags.tagging import Cover
from media.transcode.mux import FINEST_CLOCK_S, MILLISECONDS, MUXERS


async def mux_film(
    rendition: Path,
    sound: Path,
    suffix: str,
    metadata: str,
    cover: Cover | None,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Put the joined picture and the encoded sound into the format of a suffix: a copy.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    told, container = target.with_name(f"{target.name}.tags"), CONTAINER_OF_SUFFIX[suffix]
    with removed(told):
        told.write_text(metadata, "utf-8")
        command = Ffmpeg.quiet().read(rendition, "mov").read(sound, ENCODERS["aac"].demuxer)
        command = command.read_metadata(told)
        maps = ["-map", "0:v:0", "-map", "1:a:0"]
        if cover is not None and container != "mkv":
            command = command.read_image(cover.path, cover.codec)
            maps += ["-map", "3:v:0", "-disposition:v:1", "attached_pic"]
        muxer, *options = MUXERS[container]
        command = (
            command.then(*maps, "-c", "copy", "-map_metadata", "2", "-map_chapters", "2")
            .then("-fflags", "+bitexact", "-max_interleave_delta", "0")
            .write(target, muxer, *options)
        )
        try:
            return await run_ffmpeg(command.arguments(), on_tick=on_tick)
        except ProcessFailed as error:
            raise InputCorrupt(
                f"the film could not be written (exit code {error.code}): {error.stderr}"
            ) from error


async def prove_film(
    target: Path, film: FilmPlan, encoding: Encoding, samples: int, rate_hz: int
) -> MediaFacts:
    """Look at a finished film as a stranger would: every frame at its time, and as much sound.

    Raises InputCorrupt if it is not what was planned.
    """
    facts = await prove(target, encoding, samples, rate_hz)
    _, index = await inspect_in_child(target)
    shown = [pts * index.time_base for pts in index.pts] if index else []
    coarse = CONTAINER_OF_SUFFIX[encoding.output.suffix] in MILLISECONDS
    slack = Fraction(1, 1000) if coarse else FINEST_CLOCK_S
    wanted = [number / film.rate for number in range(film.frames)]
    late = max((abs(a - b) for a, b in zip(shown, wanted, strict=False)), default=Fraction())
    if len(shown) != len(wanted) or late > slack:
        raise InputCorrupt(
            f"the film shows {len(shown)} of {len(wanted)} frames, up to {float(late):.6f} s off"
        )
    return facts
