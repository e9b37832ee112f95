"""Init segments: what ftyp and moov say of the track (ISO/IEC 14496-12; CMAF, 23000-19)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from media.check.boxes import Box, Bytes, Malformed, boxes, find, full, need, number, unpack
from media.check.codecs import CONFIG, codec_string
from media.check.facts import Kind, Protection, Track

_KINDS: dict[str, Kind] = {
    "vide": "video",
    "soun": "audio",
    "text": "text",
    "subt": "text",
    "sbtl": "text",
}
_ENTRY_HEAD = {"video": 78, "audio": 28}
"""Bytes of fields before the boxes of a sample entry."""


def read_init(data: Bytes) -> Track:
    """The track of an init segment. Raises Malformed."""
    moov = need(data, 0, len(data), "moov")
    traks = [box for box in boxes(data, moov.start, moov.end) if box.kind == "trak"]
    if len(traks) != 1:
        raise Malformed(f"{len(traks)} tracks; a CMAF init segment has one")
    (trak,) = traks
    kind = _kind(data, trak)
    defaults = _defaults(data, moov)
    return replace(_track(data, trak, kind, defaults), brands=_brands(data))


def _brands(data: Bytes) -> tuple[str, ...]:
    """The major one, and those that are compatible."""
    ftyp = find(data, 0, len(data), "ftyp")
    if ftyp is None:
        return ()
    names = bytes(data[ftyp.start : ftyp.end])
    told = (names[at : at + 4].decode("latin-1") for at in range(0, len(names) - 3, 4))
    return tuple(name for at, name in enumerate(told) if at != 1)  # the minor version's number


def _kind(data: Bytes, trak: Box) -> Kind:
    handler = need(data, trak.start, trak.end, "mdia", "hdlr")
    name = bytes(data[handler.start + 8 : handler.start + 12]).decode("latin-1")
    if name not in _KINDS:
        raise Malformed(f"a track of kind {name!r} is neither picture, sound nor text")
    return _KINDS[name]


def _defaults(data: Bytes, moov: Box) -> tuple[int, int, int]:
    """Duration, size and flags of trex."""
    trex = need(data, moov.start, moov.end, "mvex", "trex")
    _, _, at = full(data, trex)
    _, _, duration, size, flags = unpack(">5I", data, at, trex.end)
    return duration, size, flags


def _track(data: Bytes, trak: Box, kind: Kind, defaults: tuple[int, int, int]) -> Track:
    tkhd = need(data, trak.start, trak.end, "tkhd")
    version, _, at = full(data, tkhd)
    track_id = number(">I", data, at + (16 if version else 8), tkhd.end)
    mdhd = need(data, trak.start, trak.end, "mdia", "mdhd")
    version, _, at = full(data, mdhd)
    timescale = number(">I", data, at + (16 if version else 8), mdhd.end)
    if not timescale:
        raise Malformed("the time scale is 0")
    stsd = need(data, trak.start, trak.end, "mdia", "minf", "stbl", "stsd")
    entry = next(boxes(data, stsd.start + 8, stsd.end), None)
    if entry is None:
        raise Malformed("stsd has no sample entry")
    inner = entry.start + _ENTRY_HEAD.get(kind, 8)
    sinf = find(data, inner, entry.end, "sinf")
    name = _original(data, sinf) if sinf else entry.kind
    config = _config(data, inner, entry.end, name)
    width, height, channels, rate = _shape(data, entry, kind)
    colour = _colour(data, inner, entry.end) if kind == "video" else (None, None)
    return Track(
        kind=kind,
        number=track_id,
        timescale=timescale,
        entry=name,
        codec=codec_string(name, config),
        config=config,
        media_time=_media_time(data, trak),
        width=width,
        height=height,
        aspect=_aspect(data, inner, entry.end),
        primaries=colour[0],
        transfer=colour[1],
        channels=channels,
        sample_rate=rate,
        sample_duration=defaults[0],
        sample_size=defaults[1],
        sample_flags=defaults[2],
        protection=_protection(data, sinf) if sinf else None,
    )


def _shape(data: Bytes, entry: Box, kind: Kind) -> tuple[int, int, int, int]:
    """Width, height, channels and sample rate that a sample entry tells."""
    if kind == "video":
        width, height = unpack(">2H", data, entry.start + 24, entry.end)
        return width, height, 0, 0
    if kind == "audio":
        channels = number(">H", data, entry.start + 16, entry.end)
        return 0, 0, channels, number(">H", data, entry.start + 24, entry.end)
    return 0, 0, 0, 0


def _config(data: Bytes, start: int, end: int, name: str) -> bytes:
    wanted = CONFIG.get(name)
    found = find(data, start, end, wanted) if wanted else None
    if wanted and not found:
        raise Malformed(f"a sample entry {name!r} without its box {wanted}")
    return bytes(data[found.start : found.end]) if found else b""


def _aspect(data: Bytes, start: int, end: int) -> Fraction:
    pasp = find(data, start, end, "pasp")
    if pasp is None:
        return Fraction(1)
    across, down = unpack(">2I", data, pasp.start, pasp.end)
    return Fraction(across, down) if across and down else Fraction(1)


def _colour(data: Bytes, start: int, end: int) -> tuple[int | None, int | None]:
    """Primaries and transfer characteristics."""
    colr = find(data, start, end, "colr")
    if colr is None or bytes(data[colr.start : colr.start + 4]) != b"nclx":
        return None, None
    primaries, transfer = unpack(">2H", data, colr.start + 4, colr.end)
    return primaries, transfer


def _media_time(data: Bytes, trak: Box) -> int:
    """What the first edit cuts from the track's start; 0 without an edit list."""
    elst = find(data, trak.start, trak.end, "edts", "elst")
    if elst is None:
        return 0
    version, _, at = full(data, elst)
    if number(">I", data, at, elst.end) == 0:
        return 0
    time = number(">q" if version else ">i", data, at + (12 if version else 8), elst.end)
    return max(time, 0)


def _original(data: Bytes, sinf: Box) -> str:
    frma = need(data, sinf.start, sinf.end, "frma")
    return bytes(data[frma.start : frma.start + 4]).decode("latin-1")


def _protection(data: Bytes, sinf: Box) -> Protection:
    schm = need(data, sinf.start, sinf.end, "schm")
    scheme = bytes(data[schm.start + 4 : schm.start + 8]).decode("latin-1")
    tenc = need(data, sinf.start, sinf.end, "schi", "tenc")
    version, _, at = full(data, tenc)
    pattern, protected, size = unpack(">3B", data, at + 1, tenc.end)
    key_id = bytes(data[at + 4 : at + 20]).hex()
    constant = None
    if protected and size == 0:
        length = number(">B", data, at + 20, tenc.end)
        constant = bytes(data[at + 21 : at + 21 + length]).hex()
    return Protection(
        scheme=scheme,
        key_id=key_id,
        iv_size=size,
        constant_iv=constant,
        pattern=(pattern >> 4, pattern & 15) if version else (0, 0),
    )
