"""FFmpeg commands from small typed pieces, in the order a person would type them.

This is the only place that knows the order of flags, the thread caps and the input rules.
`str(command)` pastes into a shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from media.ffmpeg.tools import ffmpeg
from media.probing.formats import ALLOWED_DECODERS, ALLOWED_DEMUXERS, MAX_PIXELS

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class Ffmpeg:
    """An FFmpeg command in the making; each method returns a new one."""

    globals: Arguments = ()
    inputs: Arguments = ()
    middle: Arguments = ()
    output: Arguments = ()

    @classmethod
    def quiet(cls) -> Ffmpeg:
        """No terminal, no banner, errors on stderr, progress on stdout; every pool one thread."""
        return cls(
            globals=(
                *("-hide_banner", "-nostdin", "-loglevel", "repeat+error", "-y"),
                *("-progress", "pipe:1", "-stats_period", "0.5"),
                # Uncapped pools take as many threads as the host has cores, in each slot.
                *("-filter_threads", "1", "-filter_complex_threads", "1"),
            )
        )

    def measuring(self) -> Ffmpeg:
        """Say on stderr what filters measured, too."""
        told = tuple(word.replace("repeat+error", "info") for word in self.globals)
        return replace(self, globals=(*told, "-nostats"))

    def cpu_level(self, flags: str | None) -> Ffmpeg:
        """Hold FFmpeg's own code to these CPU features: float results differ between levels."""
        return replace(self, globals=(*self.globals, "-cpuflags", flags)) if flags else self

    def read(self, path: Path | str, demuxer: str, *options: str) -> Ffmpeg:
        """An input, its format pinned after our own look at it, and nothing else reachable."""
        guarded = (
            *("-protocol_whitelist", "file"),
            *("-format_whitelist", ",".join(ALLOWED_DEMUXERS)),
            *("-codec_whitelist", ",".join(ALLOWED_DECODERS)),
            *("-max_pixels", str(MAX_PIXELS)),
            *("-threads", "1"),  # of the decoder
        )
        source = (*guarded, *options, "-f", demuxer, "-i", _as_url(path))
        return replace(self, inputs=(*self.inputs, *source))

    def read_image(self, path: Path, codec: str = "png") -> Ffmpeg:
        """An image (`png` or `mjpeg`), shown for as long as the other input lasts."""
        demuxer = {"png": "png_pipe", "mjpeg": "jpeg_pipe"}[codec]
        guarded = (
            *("-protocol_whitelist", "file", "-format_whitelist", demuxer),
            *("-codec_whitelist", codec, "-max_pixels", str(MAX_PIXELS), "-threads", "1"),
        )
        source = (*guarded, "-f", demuxer, "-i", _as_url(path))
        return replace(self, inputs=(*self.inputs, *source))

    def read_metadata(self, path: Path) -> Ffmpeg:
        """Chapters and tags that we wrote ourselves."""
        guarded = ("-protocol_whitelist", "file", "-format_whitelist", "ffmetadata")
        source = (*guarded, "-f", "ffmetadata", "-i", _as_url(path))
        return replace(self, inputs=(*self.inputs, *source))

    def read_webvtt(self, path: Path) -> Ffmpeg:
        """Captions that we wrote ourselves."""
        guarded = ("-protocol_whitelist", "file", "-format_whitelist", "webvtt")
        source = (*guarded, "-f", "webvtt", "-i", _as_url(path))
        return replace(self, inputs=(*self.inputs, *source))

    def read_raw(self, path: Path, width: int, height: int, fps: int) -> Ffmpeg:
        """Pictures that we decoded ourselves: RGB, 8 bits, one behind the other."""
        source = (
            *("-protocol_whitelist", "file", "-f", "rawvideo", "-pixel_format", "rgb24"),
            *("-video_size", f"{width}x{height}", "-framerate", str(fps)),
            *("-i", _as_url(path)),
        )
        return replace(self, inputs=(*self.inputs, *source))

    def read_samples(self, path: Path, rate_hz: int, channels: int, *options: str) -> Ffmpeg:
        """Sound of our own between steps: see `media.sound.pcm`."""
        source = (
            *("-protocol_whitelist", "file", *options, "-f", "f32le"),
            *("-sample_rate", str(rate_hz), "-ch_layout", "mono" if channels == 1 else "stereo"),
            *("-i", _as_url(path)),
        )
        return replace(self, inputs=(*self.inputs, *source))

    @staticmethod
    def from_keyframe(pts: int | None, time_base: Fraction) -> Arguments:
        """Options of an input that is read from this keyframe on; None is its first packet.

        Frames before it may come, too: filters drop what is too early.
        """
        if pts is None:
            return ()
        microseconds = pts * time_base * 1_000_000 // 1
        return ("-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{microseconds}us")

    def then(self, *arguments: str) -> Ffmpeg:
        """Maps, filters and encoder options."""
        return replace(self, middle=(*self.middle, *arguments))

    def write(self, path: Path | str, muxer: str, *options: str) -> Ffmpeg:
        """The output."""
        return replace(self, output=(*options, "-f", muxer, _as_url(path)))

    def also(self, *arguments: str) -> Ffmpeg:
        """A second output, that is made of the first."""
        return replace(self, output=(*self.output, *arguments))

    def arguments(self) -> list[str]:
        """The whole command, the program first."""
        return [ffmpeg(), *self.globals, *self.inputs, *self.middle, *self.output]

    def __str__(self) -> str:
        return shlex.join(self.arguments())


def filters(steps: Iterable[str | None]) -> str:
    """A filter chain from its steps; None is a step that is not needed."""
    return ",".join(step for step in steps if step)


def _as_url(path: Path | str) -> str:
    # `file:` keeps a name such as "a:b.mp4" or "-x.mp4" from being read as something else.
    text = str(path)
    return text if text == "-" else f"file:{text}"
