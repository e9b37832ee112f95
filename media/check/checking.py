"""Check a package: read it in one child, decode its I-frames in others, apply the rules here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from longtake.contracts.check import PackageCheck, RuleFinding
from longtake.errors import InputCorrupt
from media.check.codecs import DECODERS
from media.check.facts import Keyframe, Package, Picture, Track
from media.check.renditions import facts, of_hls, renditions
from media.check.rules import finding
from media.check.rules.captions import captions
from media.check.rules.dash import dash
from media.check.rules.encryption import encryption
from media.check.rules.groups import groups
from media.check.rules.hls import playlists
from media.check.rules.iframes import held, iframes
from media.check.rules.master import master
from media.check.rules.offer import offer
from media.check.rules.timing import timing
from media.children.isolate import in_child

READING_S = 3600.0
"""A long film's files are hashed, too."""
MOST_SHOWN = 20
"""Findings of one rule; a package that is wrong throughout is wrong in each segment."""


async def check(package: Path) -> PackageCheck:
    """Read and judge a package: a folder, or one of its manifests.

    Raises InvalidJob if it is none, InputNotFound, InputForbidden, ProcessStalled.
    """
    found = await in_child(_read, str(package), timeout_s=READING_S)
    found.findings += await _decode(found, Path(found.root))
    return PackageCheck(
        package=str(package),
        renditions=tuple(facts(each) for each in renditions(found)),
        findings=tuple(_in_order([*found.findings, *judged(found)])),
    )


def judged(package: Package) -> Iterator[RuleFinding]:
    """What the rules say of what was read."""
    yield from playlists(package)
    yield from master(package)
    yield from offer(package)
    yield from groups(package)
    yield from timing(renditions(package))
    yield from iframes(package)
    yield from encryption(package)
    yield from captions(package)
    yield from dash(package)


def _in_order(found: list[RuleFinding]) -> Iterator[RuleFinding]:
    """Errors first, each once, and not too many of a kind."""
    counts: dict[str, int] = {}
    for each in sorted(dict.fromkeys(found), key=lambda each: each.severity):
        counts[each.rule] = counts.get(each.rule, 0) + 1
        if counts[each.rule] <= MOST_SHOWN:
            yield each
    for rule, count in counts.items():
        if count > MOST_SHOWN:
            yield finding(rule, "…", f"and {count - MOST_SHOWN} more of this rule")


async def _decode(package: Package, root: Path) -> list[RuleFinding]:
    """Decode the I-frames, and of renditions without any the first keyframe."""
    found: list[RuleFinding] = []
    for playlist in package.playlists.values():
        if playlist.iframes_only and (frames := held(package, playlist)):
            init = frames[0][0].init or ""
            keyframes = tuple(
                Keyframe(str(root / (piece.path or "")), fragment.data, fragment.first_size)
                for piece, fragment in frames
            )
            for number, words in await _pictures(package, init, keyframes):
                found.append(finding("iframe-decode", f"{playlist.path}, I-frame {number}", words))
    for rendition in of_hls(package):
        if rendition.kind == "video" and rendition.media and rendition.init:
            segment = rendition.media[0]
            first = segment.fragments[0]
            keyframe = Keyframe(str(root / segment.path), first.data, first.first_size)
            if rendition.init not in package.pictures:
                await _pictures(package, rendition.init, (keyframe,))
    return found


async def _pictures(
    package: Package, init: str, keyframes: tuple[Keyframe, ...]
) -> list[tuple[int, str]]:
    """Number and words of those that do not decode; the first picture is kept."""
    track = package.tracks.get(init)
    if track is None or track.protection or track.entry not in DECODERS:
        return []
    try:
        pictures = await in_child(_decoded, track, keyframes)
    except InputCorrupt as error:
        return [(1, str(error))]
    first = next((each for each in pictures if isinstance(each, Picture)), None)
    if first is not None:
        package.pictures.setdefault(init, first)
    return [(i, words) for i, words in enumerate(pictures, 1) if isinstance(words, str)]


def _read(path: str) -> Package:
    # Imported in the child only: what reads files stays out of this process.
    from media.check.reading import read_package

    return read_package(path)


def _decoded(track: Track, keyframes: tuple[Keyframe, ...]) -> list[Picture | str]:
    from media.check.pictures import decode

    return decode(track.entry, track.config, keyframes)
