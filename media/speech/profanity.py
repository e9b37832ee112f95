"""Profanity is masked: the first letter stays. Which words these are is data: `profanity/*.txt`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from media.speech.heard import Heard

_LISTS = Path(__file__).parent / "profanity"
_WORD = re.compile(r"[^\W\d_]+")


def can_mask(language: str) -> bool:
    """Whether there is a list of words of this language."""
    return (_LISTS / f"{language}.txt").is_file()


def masked(heard: Iterable[Heard], language: str) -> tuple[Heard, ...]:
    """The same, with asterisks for all but the first letter of each word that is on the list.

    Of a language without a list nothing is masked: ask `can_mask`.
    """
    return tuple(
        each.with_words(replace(word, text=mask(word.text, language)) for word in each.words)
        for each in heard
    )


def mask(text: str, language: str) -> str:
    """The text with its profane words masked; as long as it was."""
    profane = _profane(language)

    def shown(found: re.Match[str]) -> str:
        word = found[0]
        return word[0] + "*" * (len(word) - 1) if word.casefold() in profane else word

    return _WORD.sub(shown, text)


@functools.cache
def _profane(language: str) -> frozenset[str]:
    if not can_mask(language):
        return frozenset()
    lines = (_LISTS / f"{language}.txt").read_text("utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line and not line.startswith("#"))
