"""The DASH manifest: what the packager wrote, put right for a package's folders and sounds.

ISO/IEC 23009-1; DASH-IF's interoperability points where they ask for more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from xml.etree import ElementTree

from media.package.renditions import Rendition, Segment, places, steady_bps

Element = ElementTree.Element

_DASH = "urn:mpeg:dash:schema:mpd:2011"
_CENC = "urn:mpeg:cenc:2013"
_CPS = "https://dashif.org/CPS"
_PROTECTION = "urn:mpeg:dash:mp4protection:2011"
_CLEAR_KEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ROLE = "urn:mpeg:dash:role:2011"
_PURPOSE = "urn:tva:metadata:cs:AudioPurposeCS:2007"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_CICP = "urn:mpeg:mpegB:cicp:"
_BT2020 = {"ColourPrimaries": 9, "MatrixCoefficients": 9}
_TRANSFER = {"PQ": 16, "HLG": 18}
"""ISO/IEC 23091-2. HDR of both kinds is BT.2100, whose primaries and matrix are BT.2020's."""

for prefix, space in (("", _DASH), ("cenc", _CENC), ("dashif", _CPS), ("xsi", _XSI)):
    ElementTree.register_namespace(prefix, space)


def _name(tag: str) -> str:
    return f"{{{_DASH}}}{tag}"


def representations(manifest: str) -> dict[str, Element]:
    """The packager's representations, by the folder of their segments."""
    root = ElementTree.fromstring(manifest)
    return {_folder(each): each for each in root.iter(_name("Representation"))}


def channels(representation: Element) -> int | None:
    """How many channels a sound has; None where they are not told as a number."""
    told = representation.find(_name("AudioChannelConfiguration"))
    if told is None or told.attrib["schemeIdUri"] != _CHANNELS:
        return None  # Dolby's sounds have a scheme of their own
    return int(told.attrib["value"])


def timeline(representation: Element) -> list[tuple[Fraction, Fraction]]:
    """Begin and duration of each segment, in seconds, as they are shown: without the priming that
    an edit list hides. Each lasts until the next one begins.

    The packager lets it end with its last frame. On a coarse clock, where frames last 33 or 34 ms,
    that is a millisecond off wherever frames are decoded in another order than they are shown.
    """
    template, found, at = _template(representation), list[tuple[int, int]](), 0
    scale = int(template.attrib["timescale"])
    for each in template.iter(_name("S")):
        at, lasts = int(each.get("t", at)), int(each.attrib["d"])
        for _ in range(int(each.get("r", 0)) + 1):
            found.append((at, lasts))
            at += lasts
    closed = [(begin, following - begin) for (begin, _), (following, _) in pairwise(found)]
    return [(Fraction(at, scale), Fraction(d, scale)) for at, d in closed + found[-1:]]


def _write_timeline(template: Element, segments: Sequence[Segment]) -> None:
    """Tell the finished segments, without gaps and overlaps."""
    (told,) = template.iter(_name("SegmentTimeline"))
    scale, at = int(template.attrib["timescale"]), int(told[0].get("t", 0))
    told[:] = []
    for lasts_s, alike in groupby(segment.duration_s for segment in segments):
        lasts, count = int(lasts_s * scale), len(list(alike))
        again = {"r": str(count - 1)} if count > 1 else {}
        told.append(Element(_name("S"), {"t": str(at), "d": str(lasts), **again}))
        at += count * lasts


def _folder(representation: Element) -> str:
    return _template(representation).attrib["initialization"].partition("/")[0]


def _template(representation: Element) -> Element:
    found = representation.find(_name("SegmentTemplate"))
    assert found is not None
    return found


def rewritten(
    manifest: str, renditions: Mapping[str, Rendition], target_s: int, key_uri: str | None = None
) -> str:
    """The packager's manifest for the finished `renditions`, which are in the order in which they
    are listed, by the folders that it knew. Captions have none there, and are added. `key_uri`:
    where players ask for the key of what is encrypted.
    """
    root = ElementTree.fromstring(manifest)
    period = root.find(_name("Period"))
    assert period is not None
    period.set("start", "PT0S")
    end_s = max(each.end_s for each in renditions.values())
    root.set("mediaPresentationDuration", f"PT{float(end_s):.6f}S")  # it says the picture's alone
    for told in root.iter(_name("Representation")):
        _rewrite(told, renditions[_folder(told)], target_s)
    by_name = {each.name: each for each in renditions.values()}
    sets = [made for found in period for made in _adaptation_sets(found, by_name)]
    sets += [_captions(each, target_s) for each in by_name.values() if each.kind == "captions"]
    order = list(by_name)
    sets.sort(key=lambda each: min(order.index(name) for name in _members(each)))
    for number, each in enumerate(sets):
        each.set("id", str(number))
        if key_uri is not None:
            _tell_key(each, key_uri)
    period[:] = sets
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _members(adaptation_set: Element) -> list[str]:
    return [each.attrib["id"] for each in adaptation_set.iter(_name("Representation"))]


def _rewrite(told: Element, rendition: Rendition, target_s: int) -> None:
    template = _template(told)
    for attribute in ("initialization", "media"):
        file = template.attrib[attribute].partition("/")[2]
        template.set(attribute, f"{rendition.folder}/{file}")
    # It would let a film begin with its picture, and the sound before that be lost.
    template.attrib.pop("presentationTimeOffset", None)
    _write_timeline(template, rendition.segments)
    told.set("id", rendition.name)
    told.set("codecs", rendition.codecs)
    told.set("bandwidth", str(steady_bps(rendition.segments, target_s)))
    if rendition.frame_rate is not None:
        told.set("frameRate", str(rendition.frame_rate.limit_denominator(1001)))


def _adaptation_sets(found: Element, renditions: Mapping[str, Rendition]) -> Iterator[Element]:
    """The packager's own set of pictures, or one for each sound: it puts stereo and 5.1, and two
    sounds of one language, into one set, between whose members players would switch."""
    members = found.findall(_name("Representation"))
    found.set("startWithSAP", "1")  # every segment begins with a keyframe
    found.attrib.pop("frameRate", None)  # each member tells its own
    if found.attrib["contentType"] == "video":
        _tell_colour(found, renditions[members[0].attrib["id"]])
        yield found
        return
    sounds = [each for each in renditions.values() if each.kind == "audio"]
    place = places(sounds)
    main = place[next((each for each in sounds if each.default), sounds[0]).name]
    alike: dict[object, list[Element]] = {}
    for member in members:
        sound = renditions[member.attrib["id"]]
        alike.setdefault((place[sound.name], sound.channels), []).append(member)
    for same in alike.values():
        made = Element(found.tag, dict(found.attrib), segmentAlignment="true")
        protection = [each for each in found if each.tag == _name("ContentProtection")]
        sound = renditions[same[0].attrib["id"]]
        made.set("lang", sound.language or "und")
        role = "main" if place[sound.name] == main else "alternate"
        role = "commentary" if sound.commentary else role
        role = "description" if sound.described else role
        made[:] = [*copy.deepcopy(protection), *_told(sound, role), *same]
        yield made


def _tell_key(adaptation_set: Element, uri: str) -> None:
    """Where a browser's own key system, Clear Key, gets its license (DASH-IF, Content Protection
    and Security). Only an address of the web can be asked for one. It stands before the packager's
    common `pssh`, which Shaka Player takes for Clear Key without an address."""
    protections = adaptation_set.findall(_name("ContentProtection"))
    scheme = next((each for each in protections if each.get("schemeIdUri") == _PROTECTION), None)
    if scheme is None or not uri.startswith(("https://", "http://")):
        return
    made = Element(scheme.tag, schemeIdUri=_CLEAR_KEY, value="ClearKey1.0")
    key_id = f"{{{_CENC}}}default_KID"
    made.set(key_id, scheme.attrib[key_id])
    ElementTree.SubElement(made, f"{{{_CPS}}}Laurl").text = uri
    adaptation_set.insert(list(adaptation_set).index(scheme) + 1, made)


def _told(rendition: Rendition, role: str) -> list[Element]:
    """What people are told, and whom it is for: people who do not see (1), or do not hear (2)."""
    purpose = "1" if rendition.described else "2" if rendition.hearing_impaired else None
    found = (
        [Element(_name("Accessibility"), schemeIdUri=_PURPOSE, value=purpose)] if purpose else []
    )
    return [*_label(rendition), *found, _role(role)]


def _label(rendition: Rendition) -> list[Element]:
    """What people are told."""
    if not rendition.title:
        return []
    label = Element(_name("Label"))
    label.text = rendition.title
    return [label]


def _role(value: str) -> Element:
    """What players that choose for people are told (ISO/IEC 23009-1, 5.8.5.5)."""
    return Element(_name("Role"), schemeIdUri=_ROLE, value=value)


def _tell_colour(pictures: Element, rendition: Rendition) -> None:
    """HDR, where the packager did not see it: it does not read AV1's sequence header."""
    if rendition.video_range not in _TRANSFER:
        return
    if any("Transfer" in each.get("schemeIdUri", "") for each in pictures):
        return
    codes = _BT2020 | {"TransferCharacteristics": _TRANSFER[rendition.video_range]}
    at = sum(each.tag == _name("ContentProtection") for each in pictures)
    for name, code in codes.items():
        told = {"schemeIdUri": f"{_CICP}{name}", "value": str(code)}
        pictures.insert(at, Element(_name("SupplementalProperty"), told))


def _captions(rendition: Rendition, target_s: int) -> Element:
    """An adaptation set of captions in MP4 (ISO/IEC 14496-30)."""
    made = Element(
        _name("AdaptationSet"),
        contentType="text",
        lang=rendition.language or "und",
        startWithSAP="1",
        segmentAlignment="true",
    )
    kind = "caption" if rendition.hearing_impaired else "subtitle"
    made.extend(_told(rendition, "forced-subtitle" if rendition.forced else kind))
    if rendition.default:
        made.append(_role("main"))
    told = ElementTree.SubElement(
        made,
        _name("Representation"),
        id=rendition.name,
        bandwidth=str(steady_bps(rendition.fragments, target_s)),
        codecs=rendition.codecs,
        mimeType="application/mp4",
    )
    template = ElementTree.SubElement(
        told,
        _name("SegmentTemplate"),
        timescale="1000",
        initialization=f"{rendition.folder}/init.mp4",
        media=f"{rendition.folder}/$Number%05d$.m4s",
        startNumber="1",
    )
    timeline, at = ElementTree.SubElement(template, _name("SegmentTimeline")), 0
    for segment in rendition.fragments:
        lasts = round(segment.duration_s * 1000)
        ElementTree.SubElement(timeline, _name("S"), t=str(at), d=str(lasts))
        at += lasts
    return made
