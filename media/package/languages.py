"""What languages call themselves, from Unicode's CLDR."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError


def language_name(tag: str) -> str:
    """The name of a BCP 47 tag for a menu: `Deutsch`, `Português (Brasil)`; in English where CLDR
    has but that (`Klingon`), and the tag itself where it has none."""
    if tag == "und":  # of which CLDR would make American English, the likeliest of all
        return "Unknown language"
    try:
        name = Locale.parse(tag, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        name = Locale("en").languages.get(tag)
    return f"{name[:1].upper()}{name[1:]}" if name else tag
