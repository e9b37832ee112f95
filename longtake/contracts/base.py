"""What every contract shares: frozen, strict models, and the few value types of the field."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d+)?)")


class Contract(BaseModel):
    """A frozen model that refuses unknown fields: a misspelt setting is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Report(Contract):
    """What Longtake tells. A reader passes over fields it does not know, for in a rolling deploy
    workers are newer than clients for a while, and a job index may have been written by either.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


def spelt(pattern: str, words: str) -> AfterValidator:
    """Refuses a string that `pattern` does not match whole, in words instead of with the pattern.

    The JSON Schema does not tell of it: the type says so itself (`WithJsonSchema`).
    """

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} will not do; {words}")
        return value

    return AfterValidator(check)


def _parse_seconds(value: object) -> Fraction:
    if isinstance(value, Fraction):
        seconds = value
    elif isinstance(value, bool):
        raise ValueError("expected seconds, such as 90, 90.5, '1:30.5' or '01:30:00'")
    elif isinstance(value, int | float):
        # str() of a float is the shortest decimal that means it: 0.1 becomes 1/10.
        seconds = Fraction(str(value))
    elif isinstance(value, str) and (clock := _CLOCK.fullmatch(value.strip())):
        hours, minutes, rest = clock.groups()
        if minutes and Fraction(rest) >= 60:
            raise ValueError(f"{value!r} has {rest} seconds behind its minutes; 59.999 at most")
        seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(rest)
    elif isinstance(value, str) and re.fullmatch(r"\d+/[1-9]\d*", value.strip()):
        seconds = Fraction(value.strip())
    else:
        raise ValueError("expected seconds, such as 90, 90.5, '1:30.5' or '01:30:00'")
    if seconds < 0:
        raise ValueError("a time cannot be negative")
    return seconds


def _write_seconds(value: Fraction) -> str:
    return str(value)


Seconds = Annotated[
    Fraction,
    BeforeValidator(_parse_seconds),
    PlainSerializer(_write_seconds, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^(\d+/\d+|((\d+:)?\d+:)?\d+(\.\d+)?)$"},
            ],
            "description": "Seconds: 90, 90.5, '1:30.5', '01:30:00' or a fraction '1001/30000'.",
        }
    ),
]
"""Exact time in seconds. Never a float inside: a boundary must not move by rounding."""


def _parse_rational(value: Any) -> Any:
    return Fraction(value) if isinstance(value, str | int) else value


Rational = Annotated[
    Fraction,
    BeforeValidator(_parse_rational),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(/\d+)?$"}),
]
"""An exact ratio, such as a time base or a frame rate, written '1/90000'."""

Uri = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
"""A path or URI. `file:` and plain paths now; the schemes of other storages as they arrive."""
