"""Rules of DASH's adaptation sets: what players choose by, and between what they switch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from longtake.contracts.check import RuleFinding
from media.check.facts import AdaptationSet, Mpd, Package, Representation, Track
from media.check.renditions import of_representation
from media.check.rules import finding
from media.check.rules.groups import is_tag

_ROLES = (
    *("main", "alternate", "supplementary", "commentary", "dub", "caption", "subtitle"),
    *("emergency", "karaoke", "sign", "metadata", "description", "easyreader"),
    *("enhanced-audio-intelligibility", "forced-subtitle"),
)
"""Of DASH's scheme (ISO/IEC 23009-1, 5.8.5.5)."""
_TRANSFER = "urn:mpeg:mpegB:cicp:TransferCharacteristics"
_ALIKE = {1: 1, 6: 1, 14: 1, 15: 1}
"""BT.709 has four numbers (ITU-T H.273, table 3)."""
_HDR = (16, 18)
_LEAST_SAP = {None: 1, "closed": 1, "open": 3}
"""Sound may begin anywhere; a SAP of type 3 is an open GOP (ISO/IEC 14496-12, annex I)."""


def dash_sets(package: Package, mpd: Mpd) -> Iterator[RuleFinding]:
    """What is wrong with the sets."""
    yield from _ids(mpd)
    sounds = []
    for group in mpd.sets:
        tracks = [package.tracks.get(each.init or "") for each in group.representations]
        known = [track for track in tracks if track]
        yield from _kinds(group, known)
        yield from _told(group, known)
        yield from _begins(package, group)
        for each, track in zip(group.representations, tracks, strict=True):
            if track and track.kind == "video":
                yield from _shape(package, group, each, track)
        yield from _colour(package, group)
        if {track.kind for track in known} == {"audio"}:
            sounds.append(group)
    if len(sounds) > 1 and not any("main" in group.roles for group in sounds):
        yield finding("dash-main", mpd.path, "none of its sets of sound has the role main")


def _ids(mpd: Mpd) -> Iterator[RuleFinding]:
    for kind, names in (
        ("sets", [group.attributes.get("id") for group in mpd.sets]),
        (
            "representations",
            [each.attributes.get("id") for g in mpd.sets for each in g.representations],
        ),
    ):
        told = [name for name in names if name is not None]
        for name in sorted({name for name in told if told.count(name) > 1}):
            yield finding("dash-sets", mpd.path, f"several {kind} have the id {name!r}")


def _kinds(group: AdaptationSet, known: Sequence[Track]) -> Iterator[RuleFinding]:
    """A player switches between the members of a set."""
    for what, values in (
        ("kinds", {track.kind for track in known}),
        ("codecs", {track.codec.partition(".")[0] for track in known}),
        ("time scales", {each.timescale for each in group.representations}),
    ):
        if len(values) > 1:
            words = ", ".join(sorted(map(str, values)))
            yield finding("dash-sets", group.name, f"several {what} in one set: {words}")
    if len(group.representations) > 1 and group.attributes.get("segmentAlignment") != "true":
        yield finding("dash-sets", group.name, "segmentAlignment is not true")


def _told(group: AdaptationSet, known: Sequence[Track]) -> Iterator[RuleFinding]:
    """What a player chooses sets by."""
    kinds, told = {track.kind for track in known}, group.attributes
    if kinds and told.get("contentType", next(iter(kinds))) not in kinds:
        words = f"contentType {told['contentType'][:40]!r}; it holds {', '.join(sorted(kinds))}"
        yield finding("dash-content-type", group.name, words)
    if kinds & {"audio", "text"} and "lang" not in told:
        yield finding("dash-lang", group.name, "lang is missing")
    if not is_tag(told.get("lang", "und")):
        words = f"lang {told['lang'][:40]!r} is no tag of a language"
        yield finding("language-tag", group.name, words)
    for role in group.roles:
        if role not in _ROLES:
            yield finding("dash-role", group.name, f"role {role[:40]!r}")


def _begins(package: Package, group: AdaptationSet) -> Iterator[RuleFinding]:
    """What startWithSAP says against the first samples of segments; 0 says nothing."""
    told = group.attributes.get("startWithSAP", "0")
    for each in group.representations:
        rendition = of_representation(package, each)
        if told == "0" or rendition is None:
            continue
        for segment in rendition.media:
            least = _LEAST_SAP.get(segment.start_kind)
            if told not in "123456" or least is None or int(told) < least:
                words = f"startWithSAP {told[:9]!r}; it does not begin so"
                yield finding("dash-sap", segment.path, words)
                break


def _shape(
    package: Package, group: AdaptationSet, told: Representation, track: Track
) -> Iterator[RuleFinding]:
    """Aspects, and the most of the set."""
    picture = package.pictures.get(told.init or "")
    width, height = (picture.width, picture.height) if picture else (track.width, track.height)
    for name, wanted, slack in (
        ("sar", track.aspect, Fraction()),
        # It is told in small numbers, and sizes are even.
        ("par", Fraction(width, height or 1) * track.aspect, Fraction(2, min(width, height) or 1)),
    ):
        written = told.attributes.get(name)
        found = re.fullmatch(r"([1-9]\d{0,8}):([1-9]\d{0,8})", written or "", re.ASCII)
        given = Fraction(int(found[1]), int(found[2])) if found else None
        if written is not None and (given is None or abs(given / wanted - 1) > slack):
            words = f"{name} {written[:40]!r}; the picture has {float(wanted):.4g}"
            yield finding("dash-aspect", told.name, words)
    for name, most in (("maxWidth", width), ("maxHeight", height)):
        written = group.attributes.get(name, str(most))
        if not re.fullmatch(r"\d{1,9}", written, re.ASCII) or int(written) < most:
            words = f"{name} is {written[:40]!r}; {told.name} has {most}"
            yield finding("dash-most", group.name, words)
    fastest, rate = (
        _rate(a.get(n))
        for a, n in ((group.attributes, "maxFrameRate"), (told.attributes, "frameRate"))
    )
    if fastest and rate and fastest < rate:
        words = f"maxFrameRate is {float(fastest):.4g}; {told.name} has {float(rate):.4g}"
        yield finding("dash-most", group.name, words)


def _rate(written: str | None) -> Fraction | None:
    found = re.fullmatch(r"[1-9]\d{0,8}(?:/[1-9]\d{0,8})?", written or "", re.ASCII)
    return Fraction(found[0]) if found else None


def _colour(package: Package, group: AdaptationSet) -> Iterator[RuleFinding]:
    """HDR is told: a player that cannot show it takes another set."""
    told = group.properties.get(_TRANSFER)
    for each in group.representations:
        track, picture = package.tracks.get(each.init or ""), package.pictures.get(each.init or "")
        found = picture.transfer if picture and picture.transfer != 2 else None
        found = found or (track.transfer if track else None)
        if found is None or (told is None and found not in _HDR):
            continue
        given = int(told) if told and re.fullmatch(r"\d{1,3}", told, re.ASCII) else 0
        if _ALIKE.get(given, given) != _ALIKE.get(found, found):
            words = f"its transfer characteristics are told as {told}; the picture has {found}"
            yield finding("dash-colour", each.name, words)
