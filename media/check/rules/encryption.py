"""Rules of encryption: EXT-X-KEY and ContentProtection against schm, tenc and senc."""

from __future__ import annotations

import re
from collections.abc import Iterator

from longtake.contracts.check import RuleFinding
from media.check.facts import Key, Package, Playlist, Representation, Track
from media.check.renditions import Rendition, of_playlist, of_representation
from media.check.rules import finding

METHODS = {"AES-128": None, "SAMPLE-AES": "cbcs", "SAMPLE-AES-CTR": "cenc"}
"""And the scheme of common encryption that goes with each (RFC 8216bis, 4.4.4.4)."""
_FAIRPLAY = "com.apple.streamingkeydelivery"
_BLOCK = 16
_MP4_PROTECTION = "urn:mpeg:dash:mp4protection:2011"


def encryption(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with keys, and with what they open."""
    for playlist in package.playlists.values():
        keys = dict.fromkeys(piece.key for piece in playlist.pieces if piece.key)
        for key in keys:
            yield from _key(playlist, key)
        rendition = of_playlist(package, playlist)
        if rendition is None:
            continue
        yield from _of_hls(playlist, list(keys), rendition)
        if not playlist.iframes_only:
            yield from _boxes(rendition)
    yield from _of_dash(package)


def _key(playlist: Playlist, key: Key) -> Iterator[RuleFinding]:
    where = f"{playlist.path}, EXT-X-KEY"
    if key.method not in METHODS:
        yield finding("hls-key", where, f"METHOD={key.method[:40]} is none that is known")
    if key.method == "SAMPLE-AES-CTR":
        yield finding("hls-key-ctr", where, "Apple's devices do not play it")
    if not key.uri:
        yield finding("hls-key", where, "URI is missing")
    elif key.uri.startswith("data:") and key.key_format in (None, "identity"):
        yield finding("key-in-package", where, "the URI is the key itself")
    elif not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", key.uri):
        yield finding(
            "key-in-package", where, "the URI is relative: the key would lie in the package"
        )
    if key.key_format == _FAIRPLAY and key.method != "SAMPLE-AES":
        yield finding("hls-key", where, f"FairPlay Streaming with METHOD={key.method[:40]}")
    if key.iv is not None and not re.fullmatch(r"0[xX][0-9a-fA-F]{32}", key.iv):
        yield finding(
            "hls-key", where, f"IV is not 0x and 32 hex digits, but {len(key.iv)} letters"
        )
    if key.versions is not None and not re.fullmatch(r"[1-9]\d*(?:/[1-9]\d*)*", key.versions):
        yield finding("hls-key", where, f"KEYFORMATVERSIONS={key.versions[:40]!r}")


def _of_hls(playlist: Playlist, keys: list[Key], rendition: Rendition) -> Iterator[RuleFinding]:
    """The tags of a playlist against its segments."""
    protection = rendition.track.protection if rendition.track else None
    found, where = protection.scheme if protection else None, playlist.path
    if rendition.encryption == "aes-128":
        for segment in rendition.segments:
            if segment.bytes % _BLOCK:
                message = f"{segment.bytes} bytes, which are no whole blocks"
                yield finding("encryption-size", segment.path, message)
        return
    told = {METHODS.get(key.method) for key in keys}
    if told != ({found} if found else set()) and rendition.track is not None:
        methods = ", ".join(sorted({key.method for key in keys})) or "none"
        yield finding(
            "encryption-boxes",
            where,
            f"EXT-X-KEY: {methods}; the init segment says {found or 'that it is in the clear'}",
        )
    for key in keys:
        constant = protection.constant_iv if protection else None
        if constant and key.iv and key.iv[2:].lower() != constant.ljust(32, "0"):
            yield finding("encryption-iv", where, "IV is not the constant one of the init segment")


def _boxes(rendition: Rendition) -> Iterator[RuleFinding]:
    """Fragments of an encrypted track tell its samples' IVs, unless there is one for all."""
    track = rendition.track
    if track is None or track.protection is None:
        return
    protection = track.protection
    # Only sound is encrypted whole, and needs no map of what is in the clear (23001-7, 10.4.2).
    if track.kind == "video" or protection.iv_size:
        for segment in rendition.media:
            if not all(fragment.has_iv for fragment in segment.fragments):
                message = "a fragment has neither senc, nor saiz and saio"
                yield finding("encryption-boxes", segment.path, message)
    if not protection.iv_size and not protection.constant_iv:
        where = rendition.init or rendition.name
        yield finding("encryption-boxes", where, "tenc has neither a size of IVs nor a constant IV")
    if protection.scheme == "cbcs" and track.kind == "video" and protection.pattern != (1, 9):
        crypt, skip = protection.pattern
        yield finding("encryption-pattern", rendition.init or "", f"the pattern is {crypt}:{skip}")


def _of_dash(package: Package) -> Iterator[RuleFinding]:
    for group in package.mpd.sets if package.mpd else ():
        for each in group.representations:
            rendition = of_representation(package, each)
            if rendition and rendition.track:
                yield from _protection(each, rendition.track)


def _protection(told: Representation, track: Track) -> Iterator[RuleFinding]:
    found = track.protection
    schemes = [each.value for each in told.protections if each.scheme == _MP4_PROTECTION]
    wanted = [found.scheme] if found else []
    if schemes != wanted:
        words = ", ".join(map(str, schemes)) or "none"
        yield finding(
            "dash-protection",
            told.name,
            f"mp4protection: {words}; the init segment says {wanted[0] if wanted else 'none'}",
        )
    for each in told.protections:
        if found and each.key_id and each.key_id != found.key_id:
            yield finding(
                "dash-default-kid",
                told.name,
                f"cenc:default_KID {each.key_id}; tenc has {found.key_id}",
            )
    if found and not any(each.key_id for each in told.protections):
        yield finding("dash-default-kid", told.name, "cenc:default_KID is missing")
