"""CODECS strings (RFC 6381) from the configuration boxes of sample entries.

Sources: ISO/IEC 14496-15 annex E (AVC, HEVC), the AV1 and VP9 ISOBMFF bindings, ISO/IEC 14496-1
(descriptors of AAC), ETSI TS 102 366 annex F (AC-3).
"""

from __future__ import annotations

from collections.abc import Callable

from media.check.boxes import Malformed

_FIXED = {"ac-3": "ac-3", "ec-3": "ec-3", "Opus": "opus", "fLaC": "flac", "wvtt": "wvtt"}
CONFIG = {
    "avc1": "avcC",
    "avc3": "avcC",
    "hvc1": "hvcC",
    "hev1": "hvcC",
    "av01": "av1C",
    "vp09": "vpcC",
    "mp4a": "esds",
}
"""The configuration box of a sample entry."""

DECODERS = {
    "avc1": "h264",
    "avc3": "h264",
    "hvc1": "hevc",
    "hev1": "hevc",
    "av01": "libdav1d",
    "vp09": "vp9",
}
"""FFmpeg's decoder for the pictures of a sample entry."""


def codec_string(entry: str, config: bytes) -> str:
    """The codec of a sample entry. Raises Malformed if its configuration cannot be read."""
    make = _MAKERS.get(entry)
    if make is None:
        return _FIXED.get(entry, entry)
    try:
        return make(entry, config)
    except IndexError as error:
        raise Malformed(f"the configuration of {entry} is cut off") from error


def same_codec(declared: str, found: str) -> bool:
    """Whether two strings name one codec. Case differs in the wild (`fLaC`, `Opus`), and AV1 and
    VP9 may tell of chroma and colour in optional fields, which are passed over."""
    one, other = declared.lower().split("."), found.lower().split(".")
    return (one[:4] if one[0] in ("av01", "vp09") else one) == other


def _avc(entry: str, config: bytes) -> str:
    return f"{entry}.{config[1]:02x}{config[2]:02x}{config[3]:02x}"


def _hevc(entry: str, config: bytes) -> str:
    head = config[1]
    space = ("", "A", "B", "C")[head >> 6]
    tier = "H" if head >> 5 & 1 else "L"
    compatible = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = [f"{byte:X}" for byte in config[6:12].rstrip(b"\0")]
    return ".".join(
        [entry, f"{space}{head & 31}", f"{compatible:X}", f"{tier}{config[12]}", *constraints]
    )


def _av1(entry: str, config: bytes) -> str:
    profile, level = config[1] >> 5, config[1] & 31
    tier = "H" if config[2] >> 7 else "M"
    high, twelve = config[2] >> 6 & 1, config[2] >> 5 & 1
    depth = 12 if high and twelve else 10 if high else 8
    return f"{entry}.{profile}.{level:02d}{tier}.{depth:02d}"


def _vp9(entry: str, config: bytes) -> str:
    # A full box: 4 bytes of version and flags come first.
    return f"{entry}.{config[4]:02d}.{config[5]:02d}.{config[6] >> 4:02d}"


def _aac(entry: str, config: bytes) -> str:
    """Object type of the decoder configuration, then that of the AudioSpecificConfig in it."""
    at = _behind_length(config, _tag(config, 4, 0x03)) + 2
    flags = config[at]
    at += 1 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
    if flags & 0x40:
        at += 1 + config[at]
    at = _behind_length(config, _tag(config, at, 0x04))
    kind = config[at]
    if kind != 0x40:
        return f"{entry}.{kind:02x}"
    at = _behind_length(config, _tag(config, at + 13, 0x05))
    sound = config[at] >> 3
    if sound == 31:
        sound = 32 + (int.from_bytes(config[at : at + 2], "big") >> 5 & 63)
    return f"{entry}.40.{sound}"


def _tag(config: bytes, at: int, wanted: int) -> int:
    """The byte behind a descriptor's tag."""
    if config[at] != wanted:
        raise Malformed(f"esds has no descriptor {wanted} where it should be")
    return at + 1


def _behind_length(config: bytes, at: int) -> int:
    while config[at] & 0x80:
        at += 1
    return at + 1


_MAKERS: dict[str, Callable[[str, bytes], str]] = {
    "avc1": _avc,
    "avc3": _avc,
    "hvc1": _hevc,
    "hev1": _hevc,
    "av01": _av1,
    "vp09": _vp9,
    "mp4a": _aac,
}
