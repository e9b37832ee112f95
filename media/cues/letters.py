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
_LEADING = ((0x0E40, 0x0E44), (0x0EC0, 0x0EC4))
"""Vowels of Thai and Lao that stand in front of their consonant."""
_FOLLOWING = frozenset("\u0e2f\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3")
"""Vowels of Thai and Lao, and the mark of what is cut short, that stand behind and are letters to
Unicode (UAX 14, class SA, leaves them to a dictionary)."""
_HIRAGANA, _KATAKANA = ((0x3041, 0x309F),), ((0x30A0, 0x30FF),)
_OPENING = {"Ps", "Pi"}
_CLOSING = {"Pe", "Pf", "Po", "Lm", "Sk"}
_SMALL = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")
"""Kana that belong to the one in front (JIS X 4051)."""

_SENTENCE = frozenset(".!?…。．！？｡؟۔।॥។။։።\u037e")
"""Of Greek, too, whose question mark looks like a semicolon; of India, Khmer, Burma, Armenia and
Ethiopia."""
_QUOTES = "\"'”’»)]』」）】"
_SPACES = " \u00a0\u202f"
_BEHIND_A_SPACE, _IN_FRONT_OF_ONE = frozenset("?!:;»›%"), frozenset("«‹")
"""Marks of French, which a space parts from their words and no line may."""


def ends_with(text: str, marks: Container[str]) -> bool:
    """Whether its last sign, quotes and brackets apart, is one of these."""
    return text.rstrip(_QUOTES + _SPACES)[-1:] in marks


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
    closes = closes or behind in _FOLLOWING or _stands_on_another(behind) or before == _JOINER
    opens = unicodedata.category(before) in _OPENING or _within(before, _LEADING)
    return not closes and not opens


def keeps(left: str, right: str) -> bool:
    """Whether a space between two pieces of text is one at which no line ends."""
    return set(right) <= _BEHIND_A_SPACE or set(left) <= _IN_FRONT_OF_ONE


def parting(left: str, right: str, spaced: bool) -> float:
    """How a break between two pieces of a phrase reads: 1 between words; nearer to 0, the more
    likely a clause ends there, and more than 1 where it may part a word.

    In scripts without spaces a model's words may be parts of words. A space ends a clause there. In
    Japanese most phrases end with hiragana, in front of another script.
    """
    before, behind = left[-1], right[0]
    if not (_spaceless(before) and _spaceless(behind)):
        return 1.0
    if spaced:
        return 0.3
    foreign = _within(before, _KATAKANA) and _within(behind, _KATAKANA)
    if _within(before, _SPACELESS) or _within(behind, _HIRAGANA) or foreign:
        return 2.0
    return 0.6 if _within(before, _HIRAGANA) else 1.0


def joint(left: str, right: str) -> str:
    """What stands between two segments: nothing behind a mark of Chinese and Japanese, else a
    space; there it stands for the mark that models often leave out."""
    return "" if _wide_and_spaceless(left[-1:] or " ") and _is_mark(left[-1]) else " "


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("P")


def _spaceless(letter: str) -> bool:
    return _wide_and_spaceless(letter) or _within(letter, _SPACELESS)


def _wide_and_spaceless(letter: str) -> bool:
    wide = unicodedata.east_asian_width(letter) in "WF" and unicodedata.category(letter) != "So"
    return wide and not _within(letter, _HANGUL)


def _within(letter: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(letter) <= last for first, last in ranges)
