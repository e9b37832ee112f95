"""A PNG laid over the picture: checked, sized and placed."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

from longtake.contracts.base import Contract, Rational
from longtake.contracts.picture import LARGEST, Watermark
from longtake.contracts.steps.common import Source
from longtake.errors import InputCorrupt, InputTooLarge, InputUnsupported
from media.children.process import ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.picture.colour import Colour
from media.probing.formats import open_for_reading

_PNG = b"\x89PNG\r\n\x1a\n"
_WITH_ALPHA = {
    "yuv420p": "yuva420p",
    "yuv422p": "yuva422p",
    "yuv444p": "yuva444p",
    "yuva444p": "yuva444p",
    "yuva420p": "yuva420p",
    "yuva420p10le": "yuva420p10le",
    "yuv420p10le": "yuva420p10le",
    "yuv422p10le": "yuva422p10le",
}
GRAPHICS_WHITE = {"smpte2084": Fraction(58, 100), "arib-std-b67": Fraction(75, 100)}
"""Code of graphics white in HDR, ITU-R BT.2408: a PNG's own white would dazzle."""


class Mark(Contract):
    """A watermark as it lies on the output, in pixels."""

    image: Source
    width: int
    height: int
    left: int
    top: int
    opacity: Rational
    colour: Colour
    """Of the picture that it lies on."""

    def content(self) -> dict[str, object]:
        """What of it shapes the output's bytes: the image's content, not its place."""
        return self.model_dump(mode="json", exclude={"image"}) | {"sha256": self.image.sha256}


def png_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header.

    Raises InputNotFound, InputForbidden, InputUnsupported, InputCorrupt, InputTooLarge.
    """
    head = open_for_reading(path)
    if not head.startswith(_PNG):
        raise InputUnsupported(f"the watermark {path} is no PNG; save it as one")
    if len(head) < 33 or head[12:16] != b"IHDR":
        raise InputCorrupt(f"the watermark {path} is damaged: its header is missing")
    width, height = struct.unpack_from(">II", head, 16)
    if max(width, height) > LARGEST // 2:
        raise InputTooLarge(
            f"the watermark {path} has {width}x{height} pixels; at most {LARGEST // 2} a side"
        )
    if not width or not height:
        raise InputCorrupt(f"the watermark {path} is damaged: it has no pixels")
    return width, height


async def check_png(path: Path) -> None:
    """Decode a PNG once: a damaged one is told before a frame is encoded, and not as the film's
    fault. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    command = Ffmpeg.quiet().read_image(path).then("-frames:v", "1").write("-", "null")
    try:
        await run_ffmpeg(command.arguments())
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the watermark {path} cannot be read; save it anew: {error.stderr}"
        ) from error


def place(
    asked: Watermark,
    image: Source,
    image_size: tuple[int, int],
    canvas: tuple[int, int],
    colour: Colour,
) -> Mark:
    """Where the watermark lies on a picture of the size `canvas`; even, as 4:2:0 needs it."""
    wide, high = canvas
    width = _even(wide * Fraction(str(asked.width)))
    height = _even(Fraction(width * image_size[1], image_size[0]))
    if height > high:
        width, height = _even(Fraction(high * image_size[0], image_size[1])), high // 2 * 2
    margin = min(wide, high) * Fraction(str(asked.margin))
    left = _along(wide - width, margin, "left" in asked.position, "right" in asked.position)
    top = _along(high - height, margin, "top" in asked.position, "bottom" in asked.position)
    return Mark(
        image=image,
        width=width,
        height=height,
        left=left,
        top=top,
        opacity=Fraction(str(asked.opacity)),
        colour=colour,
    )


def _along(room: int, margin: Fraction, begin: bool, end: bool) -> int:
    at = margin if begin else room - margin if end else Fraction(room, 2)
    return max(0, min(room, int(at))) // 2 * 2


def _even(pixels: Fraction) -> int:
    return max(2, 2 * round(pixels / 2))


def check_format(pixel_format: str) -> None:
    """Raises InputUnsupported for a pixel format that nothing can be laid over."""
    if pixel_format not in _WITH_ALPHA:
        raise InputUnsupported(
            f"a watermark cannot be laid over {pixel_format}; use pixel_format yuv420p"
        )


def overlay(mark: Mark, pixel_format: str, scaler: str) -> tuple[str, str]:
    """The image's own filters, and the filter that lays it over the picture."""
    colour = mark.colour
    white = GRAPHICS_WHITE.get(colour.transfer, Fraction(1))
    gains = ":".join(f"{c}{c}={float(white):g}" for c in "rgb")
    image_range = "full" if colour.full_range else "limited"
    image = (
        f"format=rgba,scale={mark.width}:{mark.height}:flags={scaler}",
        f"colorchannelmixer={gains}:aa={float(mark.opacity):g}",
        # The picture's own colour: else FFmpeg converts on its own, by the standard of SD.
        f"scale=out_color_matrix={colour.matrix}:out_range={image_range}:flags={scaler}",
        f"format={_WITH_ALPHA[pixel_format]}",
        colour.as_tags(),
    )
    return ",".join(image), f"overlay={mark.left}:{mark.top}:format=auto:eof_action=repeat"
