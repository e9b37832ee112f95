"""How far two accounts of the same speech are apart: in words, and in when they begin."""

from __future__ import annotations

import difflib
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class Heard:
    """A word and its beginning in s."""

    text: str
    start_s: float


def errors(reference: str, heard: Sequence[Heard]) -> float:
    """The word error rate, case and punctuation left out of account; 0.05 is one in twenty."""
    text = " ".join(word.text for word in heard)
    return float(jiwer.wer(_plain(reference), _plain(text)))


def starts_apart(one: Sequence[Heard], other: Sequence[Heard]) -> float:
    """The median difference, in s, of when the words begin that both have."""
    ones, others = ([_plain(word.text) for word in words] for words in (one, other))
    matcher = difflib.SequenceMatcher(a=ones, b=others, autojunk=False)
    return statistics.median(
        abs(one[block.a + n].start_s - other[block.b + n].start_s)
        for block in matcher.get_matching_blocks()
        for n in range(block.size)
    )


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())
