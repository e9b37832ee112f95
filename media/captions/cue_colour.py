"""Colours of captions: read from SubRip, ASS and MP4, and told in WebVTT by classes.

A colour is six hexadecimal digits of red, green and blue; None is what players draw anyway, white.
So it is of black: players of WebVTT draw words on black, and not with an outline as those of ASS.
Some colours have classes of their own (W3C WebVTT, 5.1); the others' are told by a style.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_NAMES = {
    "0000ff": "blue", "00ffff": "cyan", "00ff00": "lime", "ff00ff": "magenta",
    "ff0000": "red", "ffff00": "yellow",
}  # fmt: skip
_DIGITS = {name: digits for digits, name in _NAMES.items()} | {
    "aqua": "00ffff", "fuchsia": "ff00ff", "gray": "808080", "green": "008000", "grey": "808080",
    "maroon": "800000", "navy": "000080", "olive": "808000", "orange": "ffa500", "purple": "800080",
    "silver": "c0c0c0", "teal": "008080",
}  # fmt: skip
_HTML = re.compile(
    r"\bcolor\s*=\s*[\"']?\s*#?(?:([0-9a-f]{6}|(?<=#)[0-9a-f]{3})(?![0-9a-z])|([a-z]+))",
    re.IGNORECASE,
)
_CLASS = re.compile(r"<c\.(color-([0-9a-f]{6})|[a-z]+)>")
MOST = 128
"""Styles of one track: every segment of a package has them all."""


def of_html(attributes: str) -> str | None:
    """Of a tag `<font color="#ffcc00">` as SubRip has it."""
    found = _HTML.search(attributes)
    if found is None:
        return None
    if found[1] is None:
        return _seen(_DIGITS.get(found[2].lower()))
    digits = found[1].lower()
    return _seen(digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def of_ass(digits: str) -> str | None:
    """Of hexadecimal digits of ASS: blue, green and red, behind how little is seen of it."""
    bgr = digits.rjust(6, "0")[-6:].lower()
    return _seen(bgr[4:] + bgr[2:4] + bgr[:2])


def of_rgba(data: bytes) -> str | None:
    """Of four bytes of MP4's timed text."""
    return _seen(data[:3].hex()) if len(data) == 4 else None


def _seen(colour: str | None) -> str | None:
    return None if colour in ("ffffff", "000000") else colour


def tag_of(colour: str | None) -> str:
    """The tag that begins words of this colour; none for what players draw anyway."""
    if colour is None:
        return ""
    return f"<c.{_NAMES.get(colour, f'color-{colour}')}>"


def styles_of(tagged: Iterable[str]) -> tuple[str, ...]:
    """A block of styles for the colours that are in use, of very many the most frequent."""
    found = Counter(match for text in tagged for match in _CLASS.findall(text))
    kept = sorted(name_and_digits for name_and_digits, _ in found.most_common(MOST))
    rules = [
        f"::cue(.{name}) {{ color: {f'#{digits}' if digits else name} }}"
        for name, digits in kept
        if digits or name in _DIGITS
    ]
    return ("\n".join(("STYLE", *rules)),) if rules else ()
