"""The sound as speech models hear it: 16 kHz, 16-bit samples without a header.

Its first sample lies at the job's time zero: late sound has silence before it, holes are filled.
So every position in it is a time of the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from longtake.contracts.media import AudioFacts
from longtake.contracts.speech import RATE_HZ
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.tools import simd_baseline

SAMPLE_BYTES = 2


@dataclass(frozen=True)
class SpeechSound:
    """A file of little-endian 16-bit samples, channels in turn. A sample here is one of each."""

    path: Path
    channels: int

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.path.stat().st_size // (SAMPLE_BYTES * self.channels)

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.samples / RATE_HZ


def sound_command(
    source: Path, demuxer: str, audio: AudioFacts, target: Path, origin_s: Fraction, split: bool
) -> Ffmpeg:
    """The command of `prepare_sound`."""
    return (
        Ffmpeg.quiet()
        .cpu_level(simd_baseline())
        .read(source, demuxer, "-copyts")
        .then("-map", f"0:{audio.index}", "-vn", "-sn", "-dn")
        .then(
            "-af",
            filters(
                (
                    f"asetpts=PTS-round({origin_s}/TB)" if origin_s else None,
                    # As `media.sound.audio.aligned`, whose reasons hold here, too.
                    f"aresample={RATE_HZ}:async=1:min_hard_comp=0.01:first_pts=0:rematrix_maxval=1",
                    # A mix keeps to ITU-R BS.775-4: a film's voices lie in its centre.
                    None if split else "aformat=channel_layouts=mono",
                )
            ),
        )
        .then("-c:a", "pcm_s16le")
        .write(target, "s16le")
    )


async def prepare_sound(
    source: Path,
    demuxer: str,
    audio: AudioFacts,
    target: Path,
    *,
    origin_s: Fraction = Fraction(0),
    split: bool = False,
    on_tick: OnTick = lambda _: None,
) -> tuple[SpeechSound, Finished]:
    """Decode a sound track to `target`.

    `origin_s` is the time of the source that counts as zero. `split`: every channel stays on its
    own; else they are mixed to one.

    Raises InputCorrupt, and what `run_ffmpeg` raises.
    """
    command = sound_command(source, demuxer, audio, target, origin_s, split)
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the sound of {source.name} could not be decoded (exit code {error.code}): "
            f"{error.stderr}"
        ) from error
    return SpeechSound(target, audio.channels if split else 1), finished
