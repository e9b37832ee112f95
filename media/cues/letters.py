"""How wide letters are, and where a line may break between them (Unicode UAX 11, 14 and 29, as far
as captions need them)."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator

_JOINER = "\u200d"
_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF))
"""Wide, but Korean has spaces between its words."""
_SPACELESS = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
"""Thai and Lao, Burmese, Khmer: narrow, and without spaces between words."""
_OPENING = {"Ps", "Pi"}
_CLOSING = {"Pe", "Pf", "Po", "Lm", "Sk"}
_SMALL = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")
"""Kana that belong to the one in front (JIS X 4051)."""

_SENTENCE = frozenset(".!?…。！？｡؟۔।")
_QUOTES = "\"'”’»)]』」）】"


def ends_with(text: str, marks: Container[str]) -> bool:
    """Whether its last sign, quotes and brackets apart, is one of these."""
    return text.rstrip(_QUOTES)[-1:] in marks


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with this text."""
    return ends_with(text, _SENTENCE)


def width(text: str) -> int:
    """Columns: 2 for a wide character (East Asian, emoji), 0 for one that stands on another."""
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def clusters(text: str) -> Iterator[str]:
    """Characters as a reader sees them: a letter with all that stands on it, in one piece."""
    piece = ""
    for letter in text:
        if piece and not (_stands_on_another(letter) or piece.endswith(_JOINER)):
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece


def _stands_on_another(letter: str) -> bool:
    skin = "\U0001f3fb" <= letter <= "\U0001f3ff"
    return skin or unicodedata.category(letter) in ("Mn", "Me", "Mc", "Cf")


def may_part(left: str, right: str) -> bool:
    """Whether a line may break between two pieces of text that no space parts.

    Only in a script without spaces, and neither in front of what closes nor behind what opens.
    """
    before, behind = left[-1], right[0]
    if not (_spaceless(before) or _spaceless(behind)):
        return False
    closes = unicodedata.category(behind) in _CLOSING or behind in _SMALL
    closes = closes or _stands_on_another(behind) or before == _JOINER
    return not closes and unicodedata.category(before) not in _OPENING


def joint(left: str, right: str) -> str:
    """What stands between two sentences: nothing in Chinese and Japanese, else a space."""
    both = left[-1:] + right[:1]
    return "" if both and any(_wide_and_spaceless(letter) for letter in both) else " "


def _spaceless(letter: str) -> bool:
    return _wide_and_spaceless(letter) or _within(letter, _SPACELESS)


def _wide_and_spaceless(letter: str) -> bool:
    wide = unicodedata.east_asian_width(letter) in "WF" and unicodedata.category(letter) != "So"
    return wide and not _within(letter, _HANGUL)


def _within(letter: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(letter) <= last for first, last in ranges)
