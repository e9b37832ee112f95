"""Tags that tell players a file's loudness: ReplayGain 2.0, and the R128 gains of Ogg Opus.

The file's sound, pictures and other tags stay as they are. Sources: ReplayGain 2.0 specification
(Hydrogenaudio; reference -18 LUFS, the peak is that of samples), RFC 7845, 5.2.1 (-23 LUFS, 256
steps a dB, on top of the header's own gain, which decoders apply before we measure).
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from longtake.contracts.containers import CONTAINERS, Container
from longtake.contracts.loudness import Loudness
from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt, InputUnsupported
from media.children.isolate import in_child
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.children.sandbox import WRITER_LIMITS
from media.ffmpeg.command import Ffmpeg

REFERENCE_LUFS = -18.0
_OPUS_LUFS, _OPUS_STEPS = -23.0, 256
_PREFIXES = ("replaygain_", "r128_", "itunnorm")

_CALLED: dict[str, tuple[Container, ...]] = {
    "mp3": ("mp3",),
    "flac": ("flac",),
    "ogg/vorbis": ("ogg",),
    "ogg/flac": ("ogg",),
    "ogg/opus": ("ogg", "opus"),
    "mov": ("m4a", "mp4"),
    "wav": ("wav",),
}
"""Files that hold the tags, by FFmpeg's name of the demuxer and in Ogg also of the codec, and what
each may be called."""


def tells_loudness(tag: str) -> bool:
    """Whether a tag tells players the loudness, and is untrue once the level is another."""
    return tag.casefold().startswith(_PREFIXES)


def gain_tags(kind: str, track: Loudness, album: Loudness | None) -> dict[str, str]:
    """The tags of a file; what has no loudness has none."""
    tags: dict[str, str] = {}
    for name, found in (("TRACK", track), ("ALBUM", album)):
        if found is None or found.integrated_lufs is None:
            continue
        if kind == "ogg/opus":
            steps = round((_OPUS_LUFS - found.integrated_lufs) * _OPUS_STEPS)
            tags[f"R128_{name}_GAIN"] = str(steps)
            continue
        tags[f"REPLAYGAIN_{name}_GAIN"] = f"{REFERENCE_LUFS - found.integrated_lufs:.2f} dB"
        if found.sample_peak_dbfs is not None:
            tags[f"REPLAYGAIN_{name}_PEAK"] = f"{10 ** (found.sample_peak_dbfs / 20):.6f}"
    return tags


def tag_kind(facts: MediaFacts, output: Container, name: str) -> str:
    """Which kind of file it is. Raises InputUnsupported for a file that holds no such tags, or
    for an output that would be called what it is not."""
    (track,) = facts.audio
    demuxer = facts.container.partition(",")[0]
    kind = f"ogg/{track.codec}" if demuxer == "ogg" else demuxer
    quicktime = facts.tags.get("major_brand", "").strip() == "qt"
    if kind not in _CALLED or quicktime:
        raise InputUnsupported(
            f"{name} holds no tags of loudness that players read: they are for MP3, FLAC, Ogg "
            "Vorbis, Ogg FLAC, Ogg Opus, M4A, MP4 and WAV; use another mode"
        )
    if output not in _CALLED[kind]:
        raise InputUnsupported(
            f"with tags alone {name} stays the file that it is, and cannot become "
            f"{CONTAINERS[output].words}: give the output the input's suffix"
        )
    return kind


async def tag_file(
    source: Path, facts: MediaFacts, kind: str, tags: dict[str, str], target: Path, on_tick: OnTick
) -> Finished:
    """Copy a file to `target` with `tags`, in place of all that told its loudness before.

    Every packet is the source's, byte by byte, or InputCorrupt is raised. Raises InputUnsupported
    for a file whose tags cannot be written, and what `run_ffmpeg` raises.
    """
    shutil.copyfile(source, target)
    await in_child(_write, str(target), kind, tags, limits=WRITER_LIMITS)
    before, _ = await _packets(source, facts.container, target, on_tick)
    after, finished = await _packets(target, facts.container, target, on_tick)
    if before != after:
        raise InputCorrupt(
            f"{source.name} cannot be tagged: its packets would not be the same any more"
        )
    return finished


def writer_version() -> str:
    """Of the library that writes the tags: it shapes the file's bytes."""
    return importlib.metadata.version("mutagen")


async def _packets(path: Path, demuxer: str, report: Path, on_tick: OnTick) -> tuple[str, Finished]:
    """A checksum of everything in a file that is sound or picture, as it is stored."""
    sums = report.with_name(f"{report.name}.md5")
    command = (
        Ffmpeg.quiet()
        .read(path, demuxer)
        .then("-map", "0:a", "-map", "0:v?", "-c", "copy")
        .write(sums, "md5")
    )
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        return sums.read_text("ascii"), finished
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the packets of {path.name} could not be read (exit code {error.code}): {error.stderr}"
        ) from error
    finally:
        sums.unlink(missing_ok=True)


def _write(path: str, kind: str, tags: dict[str, str]) -> None:
    # Imported in the child only: see there.
    from media.tags.gain_files import write_tags

    write_tags(path, kind, tags)
