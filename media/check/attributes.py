"""Attribute lists of HLS (RFC 8216bis, 4.2), read strictly: players pass over different faults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_LISTS = (
    *("EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MEDIA", "EXT-X-KEY", "EXT-X-MAP"),
    "EXT-X-SESSION-KEY",
)
"""Tags that have one."""
_ONE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(,|$)')
_QUOTED = r'"[^"]*"'
_YES = r"YES|NO"
_WHOLE = r"\d{1,20}"
_FORMS = {
    **dict.fromkeys(("BANDWIDTH", "AVERAGE-BANDWIDTH", "BIT-DEPTH", "SAMPLE-RATE"), _WHOLE),
    **dict.fromkeys(("FRAME-RATE", "SCORE"), r"\d{1,20}(?:\.\d+)?"),
    "RESOLUTION": r"[1-9]\d*x[1-9]\d*",
    "VIDEO-RANGE": r"SDR|HLG|PQ",
    "HDCP-LEVEL": r"TYPE-0|TYPE-1|NONE",
    "TYPE": r"AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS",
    "CLOSED-CAPTIONS": rf"NONE|{_QUOTED}",
    **dict.fromkeys(("DEFAULT", "AUTOSELECT", "FORCED"), _YES),
    **dict.fromkeys(("CODECS", "SUPPLEMENTAL-CODECS", "URI", "GROUP-ID", "NAME"), _QUOTED),
    **dict.fromkeys(("LANGUAGE", "ASSOC-LANGUAGE", "INSTREAM-ID", "CHANNELS"), _QUOTED),
    **dict.fromkeys(("CHARACTERISTICS", "AUDIO", "VIDEO", "SUBTITLES", "BYTERANGE"), _QUOTED),
    **dict.fromkeys(("KEYFORMAT", "KEYFORMATVERSIONS", "STABLE-RENDITION-ID"), _QUOTED),
}
"""How the values of known attributes are written; clients pass over others."""


def wrong_lists(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The number of a line, and what is wrong with its attribute list, in words."""
    for number, line in enumerate(lines, 1):
        tag, _, written = line.rstrip().removeprefix("#").partition(":")
        if line.startswith("#") and tag in _LISTS:
            yield from ((number, message) for message in _wrong(tag, written))


def _wrong(tag: str, written: str) -> Iterator[str]:
    at, seen = 0, set[str]()
    while at < len(written):
        found = _ONE.match(written, at)
        if found is None:
            yield f"{tag}: {written[at : at + 60]!r} is no attribute"
            return
        name, value, at = found[1], found[2], found.end()
        if name in seen:
            yield f"{tag}: {name} stands there twice"
        seen.add(name)
        form = _FORMS.get(name)
        if form and not re.fullmatch(form, value, re.ASCII):
            yield f"{tag}: {name}={value[:60]} is not as it should be"
