"""Rules of EXT-X-MEDIA: groups of sounds and of captions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from longtake.contracts.check import RuleFinding
from media.check.facts import Master, Media, Package
from media.check.renditions import of_playlist
from media.check.rules import finding

_OF_STREAMS = {"audio": "AUDIO", "subtitles": "SUBTITLES", "closed_captions": "CLOSED-CAPTIONS"}
_OWN = ("uri", "channels", "group_id", "stable_rendition_id", "codecs", "bit_depth", "sample_rate")
"""Attributes that may differ between the same member of two groups."""
_SOUND_ALONE = ("channels", "bit_depth", "sample_rate")
_INSTREAM = re.compile(r"CC[1-4]|SERVICE(?:[1-9]|[1-5]\d|6[0-3])")
_DESCRIBES = "public.accessibility.describes-video"
_HEARING = {
    "public.accessibility.transcribes-spoken-dialog",
    "public.accessibility.describes-music-and-sound",
}
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*|[xi](?:-[A-Za-z0-9]{1,8})+")
"""As far as the form of a tag goes (RFC 5646, 2.1)."""


def groups(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the renditions that streams choose from."""
    if package.master is None:
        return
    found: dict[tuple[str, str], list[Media]] = defaultdict(list)
    for media in package.master.media:
        kind, name = media.attributes.get("type", ""), media.attributes.get("group_id", "")
        found[kind, name].append(media)
        yield from _attributes(media)
        yield from _people(media)
        yield from _channels(package, media)
    yield from _named(package.master, set(found))
    for members in found.values():
        yield from _members(members)
    yield from _alike(found)


def _attributes(media: Media) -> Iterator[RuleFinding]:
    kind = media.attributes.get("type")
    wanted = ["type", "group_id", "name"]
    wanted += ["language"] if kind != "VIDEO" else []
    wanted += ["uri"] if kind == "SUBTITLES" else ["channels"] if kind == "AUDIO" else []
    wanted += ["instream_id"] if kind == "CLOSED-CAPTIONS" else []
    missing = [name.upper().replace("_", "-") for name in wanted if name not in media.attributes]
    if missing:
        yield finding("hls-media-attributes", media.where, f"{', '.join(missing)} is missing")
    refused = ["uri"] if kind == "CLOSED-CAPTIONS" else []
    refused += ["forced"] if kind != "SUBTITLES" else []
    refused += _SOUND_ALONE if kind != "AUDIO" else []
    surplus = [name.upper().replace("_", "-") for name in refused if name in media.attributes]
    if surplus:
        words = f"{', '.join(surplus)} may not stand at TYPE={kind}"
        yield finding("hls-media-attributes", media.where, words)
    instream = media.attributes.get("instream_id", "CC1")
    if kind == "CLOSED-CAPTIONS" and not _INSTREAM.fullmatch(instream):
        yield finding("hls-media-attributes", media.where, f"INSTREAM-ID {instream[:40]!r}")
    for name in ("language", "assoc_language"):
        tag = media.attributes.get(name)
        if tag is not None and not is_tag(tag):
            words = f"{name.upper().replace('_', '-')} {tag[:40]!r} is no tag of a language"
            yield finding("language-tag", media.where, words)


def is_tag(language: str) -> bool:
    """Whether it has the form of a language's tag (BCP 47)."""
    return _LANGUAGE.fullmatch(language) is not None


def _traits(media: Media) -> set[str]:
    return set(media.attributes.get("characteristics", "").split(",")) - {""}


def _people(media: Media) -> Iterator[RuleFinding]:
    """What is for people who do not see or hear, or for all, is found without being looked for."""
    traits, is_chosen = _traits(media), media.attributes.get("autoselect") == "YES"
    if traits & (_HEARING | {_DESCRIBES}) and not is_chosen:
        words = f"AUTOSELECT is not YES, with {', '.join(sorted(traits))}"
        yield finding("hls-accessible", media.where, words)
    if traits & _HEARING and not traits >= _HEARING:
        words = f"{', '.join(sorted(_HEARING - traits))} is missing"
        yield finding("hls-accessible", media.where, words)
    if media.attributes.get("forced") == "YES" and not is_chosen:
        yield finding("hls-forced", media.where, "FORCED=YES, and AUTOSELECT is not YES")


def _channels(package: Package, media: Media) -> Iterator[RuleFinding]:
    playlist = package.playlists.get(media.path or "")
    rendition = of_playlist(package, playlist) if playlist else None
    if rendition is None or rendition.track is None or rendition.kind != "audio":
        return
    declared = media.attributes.get("channels", "").partition("/")[0]
    # Sample entries of AC-3 may say 2, whatever is in them (ETSI TS 102 366, F.3).
    if not declared or rendition.track.entry in ("ac-3", "ec-3"):
        return
    if declared != str(rendition.track.channels):
        yield finding(
            "hls-channels",
            media.where,
            f"CHANNELS {declared!r}; its sound has {rendition.track.channels}",
        )


def _named(found: Master, there: set[tuple[str, str]]) -> Iterator[RuleFinding]:
    for stream in found.streams:
        for attribute, kind in _OF_STREAMS.items():
            group = stream.attributes.get(attribute)
            if group and group != "NONE" and (kind, group) not in there:
                yield finding("hls-group", stream.where, f"there is no group {group!r} of {kind}")


def _members(members: list[Media]) -> Iterator[RuleFinding]:
    for name, count in Counter(each.attributes.get("name", "") for each in members).items():
        if count > 1:
            where = members[0].where
            yield finding("hls-media-name", where, f"{count} members of the group are {name!r}")
    defaults = [each for each in members if each.attributes.get("default") == "YES"]
    if len(defaults) > 1:
        yield finding("hls-media-default", defaults[1].where, "the group has a DEFAULT already")
    for each in defaults:
        if each.attributes.get("autoselect", "YES") != "YES":
            yield finding("hls-media-default", each.where, "DEFAULT=YES, and AUTOSELECT=NO")
    yield from _order(members)
    if not defaults and members[0].attributes.get("type") == "AUDIO":
        yield finding("hls-no-default", members[0].where, "no sound of the group is DEFAULT")


def _order(members: list[Media]) -> Iterator[RuleFinding]:
    """Players choose by language, and of those the first that fits."""
    seen: dict[object, Media] = {}
    special: set[str] = set()
    for each in members:
        language, traits = each.attributes.get("language", ""), _traits(each)
        if not traits and language in special:
            words = "it is more general than one before it in its language"
            yield finding("hls-media-order", each.where, words)
        if traits:
            special.add(language)
        if each.attributes.get("autoselect") != "YES":
            continue
        told = [each.attributes.get(name, "") for name in ("assoc_language", "characteristics")]
        forced = each.attributes.get("forced", "NO")
        first = seen.setdefault((language, *told, forced), each)
        if first is not each:
            words = f"players cannot choose between it and {first.where}: both are AUTOSELECT"
            yield finding("hls-autoselect", each.where, words)


def _alike(found: dict[tuple[str, str], list[Media]]) -> Iterator[RuleFinding]:
    first: dict[str, tuple[str, set[tuple[tuple[str, str], ...]]]] = {}
    for (kind, name), members in found.items():
        held = {
            tuple(sorted((k, v) for k, v in each.attributes.items() if k not in _OWN))
            for each in members
        }
        before, wanted = first.setdefault(kind, (name, held))
        if held != wanted:
            yield finding(
                "hls-groups-alike",
                members[0].where,
                f"the members of {name!r} are not those of {before!r}",
            )
