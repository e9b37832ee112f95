"""Where and how cues of WebVTT are drawn: settings, regions and styles, of which only what the
specification knows comes through (W3C WebVTT, 4.3, 4.4 and 8.2), each written anew.

A style cannot name a file: nothing is ever fetched for one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

_PERCENT = r"(?:100(?:\.0{1,9})?|\d{1,2}(?:\.\d{1,9})?)%"
_SETTINGS = {
    "vertical": r"rl|lr",
    "line": rf"(?:-?\d{{1,4}}|{_PERCENT})(?:,(?:start|center|end))?",
    "position": rf"{_PERCENT}(?:,(?:line-left|center|line-right))?",
    "size": _PERCENT,
    "align": r"start|center|end|left|right",
}
_REGION = {
    "id": r"[\w-]{1,40}",
    "width": _PERCENT,
    "lines": r"\d{1,3}",
    "regionanchor": f"{_PERCENT},{_PERCENT}",
    "viewportanchor": f"{_PERCENT},{_PERCENT}",
    "scroll": "up",
}
_NAME = re.compile(r"(?!NOTE|STYLE|REGION|WEBVTT)(?!.*-->)[^\W_][ -~]{0,99}", re.ASCII)
_OLD = {"align:middle": "align:center"}
"""As drafts of the specification had it, and FFmpeg writes it."""

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_SELECTOR = re.compile(r"::cue(?:-region)?(?:\([\w .#:*='\",()\[\]~^$|-]{1,200}\))?")
_PROPERTY = re.compile(
    r"(?:color|opacity|visibility|white-space|line-height|text-combine-upright|ruby-position|"
    r"background(?:-color)?|text-shadow|text-decoration(?:-\w+)*|outline(?:-\w+)*|font(?:-\w+)*)"
)
_VALUE = re.compile(r"(?:(?:rgb|hsl)a?\([\d\s.,%/]{1,60}\)|[\w\s#%.,'\"/!+-]){1,200}")
MAX_STYLES = 16 << 10
"""Characters: every segment of a package has them all."""


def settings(asked: str, regions: Collection[str] = ()) -> str:
    """A cue's settings, in the order of the specification."""
    found = dict(_pairs(asked.split(), _SETTINGS))
    region = re.search(r"(?:^|\s)region:(\S+)", asked)
    if region and region[1] in regions:
        found["region"] = region[1]
    return " ".join(f"{name}:{value}" for name, value in found.items())


def name(asked: str) -> str:
    """A cue's name, if it can stand on a line of its own."""
    told = asked.strip()
    return told if _NAME.fullmatch(told) else ""


def aligned(alignment: int | None) -> str:
    """The settings for an alignment as on the number pad: 8 is above, in the middle."""
    if alignment is None:
        return ""
    row, column = divmod(alignment - 1, 3)
    told = (("", "line:50%", "line:0")[row], ("align:left", "", "align:right")[column])
    return " ".join(filter(None, told))


def _pairs(words: Iterable[str], known: dict[str, str]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, _, value = _OLD.get(word, word).partition(":")
        if name in known and re.fullmatch(known[name], value):
            yield name, value


def region(lines: Iterable[str]) -> tuple[str, str] | None:
    """A region's id and its block; None if it has no id, for then no cue can be in it."""
    found = dict(_pairs(" ".join(lines).split(), _REGION))
    if "id" not in found:
        return None
    return found["id"], "\n".join(("REGION", *(f"{name}:{found[name]}" for name in found)))


def style(lines: Iterable[str]) -> str | None:
    """The block of a style sheet with the rules of it that can be obeyed; None if there is none."""
    sheet = _COMMENT.sub(" ", "\n".join(lines))
    sheet = re.sub(r"@[^;{}]*;", " ", sheet)
    if "@" in sheet:
        return None  # rules on conditions, which must not come to be without them
    kept = []
    for selectors, body in _RULE.findall(sheet):
        told = [" ".join(each.split()) for each in _split(selectors)]
        declared = list(_declarations(body))
        if declared and all(_SELECTOR.fullmatch(each) and _is_closed(each) for each in told):
            kept.append(f"{', '.join(told)} {{ {'; '.join(declared)} }}")
    return "\n".join(("STYLE", *kept)) if kept else None


def _split(selectors: str) -> list[str]:
    """At commas that stand in no parentheses."""
    return re.split(r",(?![^()]*\))", selectors)


def _declarations(body: str) -> Iterator[str]:
    for each in body.split(";"):
        name, _, value = (" ".join(part.split()) for part in each.partition(":"))
        if _PROPERTY.fullmatch(name.lower()) and _VALUE.fullmatch(value) and _is_closed(value):
            yield f"{name.lower()}: {value}"


def _is_closed(text: str) -> bool:
    """Do its quotation marks come in pairs?"""
    return text.count('"') % 2 == text.count("'") % 2 == 0
