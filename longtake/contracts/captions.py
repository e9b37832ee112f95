"""Captions in a file, as jobs name them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from longtake.contracts.base import Contract, Uri, spelt

_LANGUAGE = "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"
Language = Annotated[str, spelt(_LANGUAGE, "use a language tag of BCP 47, such as en, de or pt-BR")]

MOST_CAPTIONS = 40


class CaptionFile(Contract):
    """Captions that lie in a file."""

    source: Uri = Field(description="SRT, WebVTT or ASS, in UTF-8 or UTF-16.")
    language: Language
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="What a player's menu says; left out, the language."
    )
    default: bool = Field(default=False, description="Whether it is shown without being asked for.")
