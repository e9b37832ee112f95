"""What can be asked of the picture beside codec and quality: geometry, time, colour, overlays."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from longtake.contracts.base import Contract, Uri

LARGEST = 16_384
"""Pixels on a side, at most."""


def box(text: str) -> tuple[int, int]:
    """Width and height of `1280x720`. Raises ValueError."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ValueError(f"{text!r} is no size: write WIDTHxHEIGHT, such as 1280x720")
    size = int(width), int(height)
    if not all(16 <= side <= LARGEST and side % 2 == 0 for side in size):
        raise ValueError(f"{text!r}: each side must be an even number from 16 to {LARGEST}")
    return size


def rectangle(text: str) -> tuple[int, int, int, int]:
    """Width, height, left and top of `1920:800:0:140`. Raises ValueError."""
    parts = text.split(":")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        raise ValueError(
            f"{text!r} is no crop: write auto, or WIDTH:HEIGHT:LEFT:TOP in pixels of the source, "
            "such as 1920:800:0:140"
        )
    width, height, left, top = (int(part) for part in parts)
    if min(width, height) < 16 or any(value % 2 for value in (width, height, left, top)):
        raise ValueError(
            f"crop {text!r}: all four must be even numbers, and width and height at least 16"
        )
    return width, height, left, top


def _check_box(text: str) -> str:
    box(text)
    return text


def _check_crop(text: str) -> str:
    if text != "auto":
        rectangle(text)
    return text


_NTSC = {"23.976": 24, "23.98": 24, "29.97": 30, "59.94": 60}
"""Rates that people round: they are these, times 1000/1001."""


def _parse_rate(value: object) -> Fraction:
    text = str(value).strip()
    if text in _NTSC:
        return Fraction(_NTSC[text] * 1000, 1001)
    if not re.fullmatch(r"\d+(\.\d+|/[1-9]\d*)?", text):
        raise ValueError("expected frames per second, such as 30, 29.97 or '30000/1001'")
    rate = Fraction(text)
    if not 1 <= rate <= 240:
        raise ValueError(f"frame_rate must lie between 1 and 240, not {rate}")
    return rate


Size = Annotated[str, AfterValidator(_check_box)]
"""`WIDTHxHEIGHT` in pixels, even numbers."""
Crop = Annotated[str, AfterValidator(_check_crop)]
"""`auto`, or `WIDTH:HEIGHT:LEFT:TOP` in pixels of the source as it is shown upright."""
FrameRate = Annotated[
    Fraction,
    BeforeValidator(_parse_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": 240},
                {"type": "string", "pattern": r"^\d+(\.\d+|/[1-9]\d*)?$"},
            ],
            "description": "Frames per second: 30, '30000/1001'; 29.97 is 30000/1001.",
        }
    ),
]
Deinterlace = Literal["auto", "never"]
Denoise = Literal["light", "medium", "strong"]
Hdr = Literal["auto", "keep", "sdr"]
Position = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom",
    "bottom-right",
]  # fmt: skip


class Watermark(Contract):
    """A PNG laid over the picture."""

    image: Uri = Field(description="A PNG, with alpha if it likes.")
    position: Position = Field(default="bottom-right", description="Where it lies.")
    margin: float = Field(
        default=0.03, ge=0, le=0.5, description="To the edges; 1 is the picture's shorter side."
    )
    opacity: float = Field(default=1.0, gt=0, le=1, description="1 is the image as it is.")
    width: float = Field(
        default=0.15, gt=0, le=1, description="Of the image; 1 is the picture's width."
    )


class Captions(Contract):
    """Text burnt into the picture."""

    file: Uri | None = Field(default=None, description="SRT, WebVTT or ASS, in UTF-8 or UTF-16.")
    stream: int | None = Field(
        default=None, ge=0, description="A text stream of the source, by its number in a probe."
    )
    size: float = Field(
        default=0.055, ge=0.02, le=0.2, description="Of a line; 1 is the picture's height."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Captions:
        if (self.file is None) == (self.stream is None):
            raise ValueError("captions need either file or stream")
        return self
