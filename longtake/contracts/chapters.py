"""Chapters that are found in a film: what counts as a break between two of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from longtake.contracts.base import Contract, Rational, Seconds

Length = Annotated[Seconds, Field(gt=0, le=60)]


class Breaks(Contract):
    """How breaks are told from the film around them."""

    by: Literal["auto", "black", "silence"] = Field(
        default="auto",
        description="auto: black and silence at once where the source has picture and sound, else "
        "what it has. black or silence: that alone.",
    )
    black_s: Length | None = Field(
        default=None,
        description="Shortest black in seconds. Left out: 0.2 together with silence, 0.5 alone.",
    )
    black_level: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Luma up to which a pixel is black, 0 is black and 1 white. A picture is black "
        "when 98 % of it are.",
    )
    silence_s: Length | None = Field(
        default=None,
        description="Shortest silence in seconds. Left out: 0.2 together with black, 2 alone.",
    )
    silence_dbfs: float = Field(
        default=-50.0,
        ge=-100,
        le=-10,
        description="Peak level in dBFS up to which sound is silent.",
    )
    shortest_s: Annotated[Seconds, Field(ge=1, le=86_400)] = Field(
        default=Fraction(60),
        description="Shortest chapter in seconds. Where breaks lie closer, the longest ones count.",
    )


class Chapters(Contract):
    """Chapters that tile an output: each from its start to the next one's."""

    starts_s: tuple[Rational, ...]
    """On the output's clock, rising; the first is 0."""
    end_s: Rational
