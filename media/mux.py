"""The command that puts the finished parts of an output into its container."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.containers import Container
from media.command import Ffmpeg
from media.plan import Plan
from media.sounds import ENCODERS

_PROGRESSIVE = ("-movflags", "+faststart", "-write_tmcd", "0")
"""The index before the media, so that players begin before they have everything."""

_MUXERS: dict[Container, tuple[str, ...]] = {
    "mp4": ("mp4", *_PROGRESSIVE),
    "mov": ("mov", *_PROGRESSIVE),
    "m4a": ("ipod", *_PROGRESSIVE),
    "mkv": ("matroska",),
    "webm": ("webm",),
    "mp3": ("mp3", "-id3v2_version", "3"),  # version 4 is not read by Windows
    "ogg": ("ogg",),
    "opus": ("opus",),
    "flac": ("flac",),
    "wav": ("wav", "-rf64", "auto"),  # EBU Tech 3306, where the length needs more than 32 bits
}
"""FFmpeg's muxer and its options."""

MILLISECONDS: tuple[Container, ...] = ("mkv", "webm")
"""Containers whose clock ticks in milliseconds."""


def mux_command(
    source: Path, plan: Plan, rendition: Path | None, sounds: Sequence[Path], target: Path
) -> Ffmpeg:
    """Mux the picture (joined chunks, or the source's) and the tracks (encoded, or the source's).

    `sounds`: the encoded tracks, in the plan's order.
    """
    command, inputs = Ffmpeg.quiet(), 0
    maps: list[str] = []
    copied = _copies(plan)
    from_source = sum((rendition is not None, len(sounds)))
    if plan.video is not None and rendition is not None:
        command = command.read(rendition, "mov", "-itsoffset", _seconds(plan.video.start_s))
        maps.append("0:v:0")
        inputs += 1
    elif plan.video is not None:
        maps.append(f"{from_source}:{plan.video.stream}")
    encoded = iter(sounds)
    for audio in plan.audio:
        if audio.copied:
            maps.append(f"{from_source}:{audio.stream}")
            continue
        command = command.read(next(encoded), ENCODERS[audio.settings.codec].demuxer)
        maps.append(f"{inputs}:a:0")
        inputs += 1
    if copied:
        command = command.read(source, plan.demuxer)
    muxer, *options = _MUXERS[plan.container]
    return (
        command.then(*(word for where in maps for word in ("-map", where)))
        .then("-c", "copy", "-sn", "-dn")
        .then(*_tags(plan, encoded=rendition is not None))
        .then("-fflags", "+bitexact", "-max_interleave_delta", "0")
        .write(target, muxer, *options)
    )


def _tags(plan: Plan, *, encoded: bool) -> tuple[str, ...]:
    """A file that was encoded carries its tracks' languages, and no stray tags or chapters."""
    hevc = plan.video is not None and plan.video.copied and plan.video.codec == "hevc"
    return (
        *(("-map_metadata", "-1", "-map_chapters", "-1") if encoded else ()),
        *(word for number, _ in enumerate(plan.audio) for word in _track_tags(plan, number)),
        # Apple's players refuse HEVC under the name hev1.
        *(("-tag:v:0", "hvc1") if hevc and plan.container in ("mp4", "mov") else ()),
    )


def _track_tags(plan: Plan, number: int) -> list[str]:
    """What a copied track says of itself, an encoded one is told."""
    audio, words = plan.audio[number], []
    if audio.copied:
        return []
    for name, value in (("language", audio.language), ("title", audio.title)):
        if value and plan.container not in ("mp3", "wav", "flac"):
            words += [f"-metadata:s:a:{number}", f"{name}={value}"]
    if len(plan.audio) > 1:
        words += [f"-disposition:a:{number}", "default" if audio.default else "0"]
    return words


def _copies(plan: Plan) -> bool:
    picture = plan.video is not None and plan.video.copied
    return picture or any(audio.copied for audio in plan.audio)


def _seconds(value: Fraction) -> str:
    return f"{value.numerator * 1_000_000 // value.denominator}us"
