"""Captions in ASS and SSA: their events and the styles of these, as far as WebVTT can tell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from media.captions.cue_colour import of_ass
from media.captions.cue_text import PLAIN, Look, from_ass, number_pad

_DRAWING = re.compile(r"\{[^}]*\\p[1-9]")
_FONTS = "fonts and sizes"
_LOSSES = {
    _FONTS: r"\\f(?:n|s\d)",
    "places (\\pos)": r"\\pos\(",
    "movement and fades": r"\\(?:move|t|fade?)\(",
    "turns and stretches": r"\\f(?:r[xyz]?-?\d|sc[xy]|a[xy])|\\org\(",
    "karaoke": r"\\[kK][fo]?\d",
    "outlines and shadows": r"\\(?:[xy]?(?:bord|shad)|[234]c|be\d|blur)",
    "clips": r"\\i?clip\(",
    "drawings": r"\\p[1-9]",
}
"""What events ask for, and WebVTT does not have, as people call it."""
_FONT = ("fontname", "fontsize")
Looks = Mapping[str, Look]
"""The styles of a file, by name."""


@dataclass(frozen=True)
class Event:
    """One line of the file."""

    times: str
    """As in WebVTT, `START --> END`."""
    text: str
    alignment: int | None


def is_ass(lines: Iterable[str]) -> bool:
    """Is it a file of ASS or SSA?"""
    return any(line.strip().lower() == "[events]" for line in lines)


def read_looks(lines: Iterable[str]) -> Looks:
    """The styles of a file, or of a stream's header."""
    found = {}
    for section, told in _told(lines, "Style"):
        bold, italic, underlined = (told.get(name, "").strip() not in ("0", "") for name in _FACES)
        alignment = _alignment(told.get("alignment", "").strip(), old=section == "[v4 styles]")
        name = told.get("name", "").strip().lstrip("*")
        colour = _colour(told.get("primarycolour", "").strip())
        found[name] = Look(bold, italic, underlined, alignment, colour)
    return found


_FACES = ("bold", "italic", "underline")


def _colour(told: str) -> str | None:
    """In hexadecimal digits, or of old files in decimal ones."""
    if found := re.fullmatch(r"&H([\dA-Fa-f]{1,8})&?", told):
        return of_ass(found[1])
    return of_ass(f"{int(told):x}") if re.fullmatch(r"\d{1,10}", told) else None


def _alignment(told: str, *, old: bool) -> int | None:
    if not re.fullmatch(r"[1-9]|1[01]", told):
        return None
    return number_pad(int(told)) if old else min(int(told), 9)


def read_events(lines: Iterable[str], looks: Looks) -> Iterator[Event]:
    """The events of a file, without its comments."""
    for _, told in _told(lines, "Dialogue"):
        if {"start", "end", "text"} <= told.keys():
            words, alignment = event_text(told["text"], told.get("style", ""), looks)
            yield Event(f"{told['start']} --> {told['end']}", words, alignment)


def beyond(words: str) -> set[str]:
    """What an event asks for that is left out."""
    asked = re.findall(r"\{([^}]*)\}", words)
    return {name for name, form in _LOSSES.items() if any(re.search(form, each) for each in asked)}


def losses(found: Set[str], lines: Iterable[str]) -> tuple[str, ...]:
    """The same of all events, and of the styles in the lines of a file, or of a stream's header.

    Styles that all name one font ask for nothing that would be missed.
    """
    told = (told for _, told in _told(lines, "Style"))
    fonts = {tuple(each.get(name, "").strip() for name in _FONT) for each in told}
    wanted = found | ({_FONTS} if len(fonts) > 1 else set())
    return tuple(name for name in _LOSSES if name in wanted)


def event_text(words: str, style: str, looks: Looks) -> tuple[str, int | None]:
    """An event's words with their tags, and its alignment; no words of a drawing."""
    if _DRAWING.search(words):
        return "", None
    look = looks.get(style.strip().lstrip("*"), looks.get("Default", PLAIN))
    return from_ass(words, look, looks)


def _told(lines: Iterable[str], kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The lines of a kind: the section, and what stands in each field that its `Format` names."""
    section, fields = "", list[str]()
    for line in lines:
        name, _, rest = line.partition(":")
        if line.strip().startswith("["):
            section = line.strip().lower()
        elif name.strip() == "Format":
            fields = [each.strip().lower() for each in rest.split(",")]
        elif name.strip() == kind and fields:
            values = rest.split(",", len(fields) - 1)
            yield section, dict(zip(fields, values, strict=False))
