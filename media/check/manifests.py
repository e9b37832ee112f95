"""DASH manifests (ISO/IEC 23009-1): the MPD, with what representations inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree as ET

from media.check.facts import AdaptationSet, ContentProtection, Mpd, Representation, Span
from media.check.folder import Folder, folder_of

_DASH = "{urn:mpeg:dash:schema:mpd:2011}"
_CENC = "{urn:mpeg:cenc:2013}"
_ROLE = "urn:mpeg:dash:role:2011"
MOST_SEGMENTS = 200_000
"""Of a representation: `r` may say any number."""
_DURATION = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,12})?)S)?)?", re.ASCII
)


class NotAManifest(ValueError):
    """It cannot be read; the message says why."""


def seconds(written: str | None) -> Fraction | None:
    """An xs:duration such as PT1H2M3.5S, in seconds; None if it is none."""
    found = _DURATION.fullmatch(written or "")
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, rest = (Fraction(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def read_mpd(folder: Folder, path: str) -> Mpd:
    """The manifest. Raises NotAManifest."""
    try:
        text = folder.text(path).decode("utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise NotAManifest("it has a DTD, which a manifest does not need")
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise NotAManifest(str(error)) from error
    if root.tag != f"{_DASH}MPD":
        raise NotAManifest(f"its root is {root.tag[:80]!r}, not MPD")
    periods = root.findall(f"{_DASH}Period")
    if not periods:
        raise NotAManifest("it has no Period")
    base = _base(folder, path, folder_of(path), root, periods[0])
    sets = [
        _set(folder, path, base, each, number)
        for number, each in enumerate(periods[0].findall(f"{_DASH}AdaptationSet"), 1)
    ]
    return Mpd(path, dict(root.attrib), len(periods), dict(periods[0].attrib), tuple(sets))


def _base(folder: Folder, where: str, base: str, *elements: ET.Element) -> str:
    """The folder that URIs begin at: that of BaseURL elements, one in the other."""
    for element in elements:
        written = (element.findtext(f"{_DASH}BaseURL") or "").strip()
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/", written):
            folder.note("uri-outside", where, f"BaseURL {written[:200]!r} is not relative")
        elif written:
            base = f"{base}/{written.rpartition('/')[0]}".strip("/")
    return base


def _set(folder: Folder, path: str, base: str, element: ET.Element, number: int) -> AdaptationSet:
    name = f"{path}, set {element.get('id', number)}"
    representations = element.findall(f"{_DASH}Representation")
    return AdaptationSet(
        name=name,
        attributes=dict(element.attrib),
        representations=tuple(
            _representation(folder, path, base, element, each) for each in representations
        ),
        roles=tuple(
            each.get("value", "")
            for each in element.findall(f"{_DASH}Role")
            if each.get("schemeIdUri") == _ROLE
        ),
        properties={
            each.get("schemeIdUri", ""): each.get("value", "")
            for kind in ("SupplementalProperty", "EssentialProperty")
            for each in element.findall(f"{_DASH}{kind}")
        },
    )


def _representation(
    folder: Folder, path: str, base: str, parent: ET.Element, element: ET.Element
) -> Representation:
    # An id is nobody's heir.
    attributes = {**parent.attrib, "id": "", **element.attrib}
    name = f"{path}, representation {element.get('id', '?')}"
    template = _template(parent, element)
    base = _base(folder, name, base, parent, element)
    channels = _inherited(parent, element, "AudioChannelConfiguration")
    identity = {
        "RepresentationID": element.get("id", ""),
        "Bandwidth": element.get("bandwidth", ""),
    }
    init_uri = template.get("initialization")
    init = folder.find(_filled(init_uri, identity), name, base) if init_uri else None
    entries = _inherited(parent, element, "SegmentTemplate", "SegmentTimeline")
    return Representation(
        name=name,
        attributes=attributes,
        protections=tuple(
            _protection(each)
            for owner in (parent, element)
            for each in owner.findall(f"{_DASH}ContentProtection")
        ),
        channels=channels.get("value") if channels is not None else None,
        timescale=max(_whole(template, "timescale", 0), 0) or None,
        offset=_whole(template, "presentationTimeOffset", 0),
        init=init,
        init_uri=init_uri,
        spans=tuple(_spans(folder, name, base, template, entries, identity)),
        addressed=entries is not None and "media" in template,
    )


def _template(parent: ET.Element, element: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for owner in (parent, element):
        for template in owner.findall(f"{_DASH}SegmentTemplate"):
            found |= template.attrib
    return found


def _inherited(parent: ET.Element, element: ET.Element, *names: str) -> ET.Element | None:
    path = "/".join(f"{_DASH}{name}" for name in names)
    found = element.find(path)
    return parent.find(path) if found is None else found


def _protection(element: ET.Element) -> ContentProtection:
    key_id = element.get(f"{_CENC}default_KID")
    return ContentProtection(
        scheme=element.get("schemeIdUri", ""),
        value=element.get("value"),
        key_id=key_id.replace("-", "").lower() if key_id else None,
    )


def _spans(
    folder: Folder,
    name: str,
    base: str,
    template: dict[str, str],
    timeline: ET.Element | None,
    identity: dict[str, str],
) -> Iterator[Span]:
    """The segments of a SegmentTimeline (5.3.9.6), each with its URI."""
    media = template.get("media")
    if media is None or timeline is None:
        return
    number, time = _whole(template, "startNumber", 1), 0
    first = number
    for entry in timeline.findall(f"{_DASH}S"):
        time = _whole(entry.attrib, "t", time)
        duration = _whole(entry.attrib, "d", 0)
        repeats = _whole(entry.attrib, "r", 0)
        if repeats < 0:
            message = "S@r is below 0, for as many segments as there are: these were not checked"
            folder.note("dash-addressing", name, message)
            return
        if number - first + repeats >= MOST_SEGMENTS:
            raise NotAManifest(f"{name} has more than {MOST_SEGMENTS:,} segments")
        for _ in range(repeats + 1):
            uri = _filled(media, identity | {"Number": str(number), "Time": str(time)})
            where = f"{name}, segment {number - first + 1}"
            yield Span(uri, folder.find(uri, where, base), time, duration)
            number, time = number + 1, time + duration


def _whole(attributes: dict[str, str], name: str, default: int) -> int:
    written = attributes.get(name)
    if written is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", written, re.ASCII):
        raise NotAManifest(f"{name}={written[:40]!r} is no whole number")
    return int(written)


def _filled(template: str, values: dict[str, str]) -> str:
    """A template with its $Identifiers$ filled in (5.3.9.4.4)."""

    def fill(found: re.Match[str]) -> str:
        name, width = found[1], found[2]
        if not name:
            return "$"
        value = values.get(name, found[0])
        return value.zfill(int(width)) if width else value

    return re.sub(r"\$(?:([A-Za-z]+)(?:%0(\d{1,2})d)?)?\$", fill, template)
