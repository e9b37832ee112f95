"""Languages, as files and playlists name them."""

from __future__ import annotations

import re

_TWO_LETTERS = {
    "en": "eng", "de": "ger", "fr": "fre", "es": "spa", "it": "ita", "pt": "por", "nl": "dut",
    "ru": "rus", "ja": "jpn", "zh": "chi", "ko": "kor", "ar": "ara", "hi": "hin", "pl": "pol",
    "sv": "swe", "da": "dan", "fi": "fin", "no": "nor", "cs": "cze", "el": "gre", "tr": "tur",
    "uk": "ukr", "hu": "hun", "he": "heb", "fa": "per", "ro": "rum", "th": "tha", "vi": "vie",
}  # fmt: skip
"""ISO 639-1 to the bibliographic codes of ISO 639-2, which files use."""
_TERMINOLOGICAL = {
    "deu": "ger", "fra": "fre", "nld": "dut", "zho": "chi", "ces": "cze", "ell": "gre",
    "fas": "per", "ron": "rum",
}  # fmt: skip


def code(language: str) -> str:
    """One code a language: files say `ger`, `deu`, `de` or `de-AT`."""
    own = language.lower().partition("-")[0]
    own = _TWO_LETTERS.get(own, own)
    return _TERMINOLOGICAL.get(own, own)


def bcp47(language: str | None) -> str | None:
    """A language as playlists name it (BCP 47), from what a file says; None where it says nothing.

    `ger`, `deu` and `de` are all `de`; one without two letters stays as it is.
    """
    if not language or code(language) in ("und", "mis", "zxx", "unknown"):
        return None
    if not re.fullmatch("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        return None
    own, _, region = language.partition("-")
    letters = {long: short for short, long in _TWO_LETTERS.items()}.get(code(own), own.lower())
    return f"{letters}-{region}" if region else letters


def is_in(language: str, asked: str) -> bool:
    """Whether a tag is of the language asked for: en-GB is in en, and not in en-US."""
    region = asked.partition("-")[2].lower()
    if region and language.partition("-")[2].lower() != region:
        return False
    return code(language) == code(asked)
