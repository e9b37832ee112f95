"""Captions in fragments of MP4, for DASH (ISO/IEC 14496-30, WebVTT).

Written here and not by the packager: its captions end with the segment of the last cue, its last
segment reaches beyond the film, and a cue that it cannot read ends the whole package.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise

from media.captions.webvtt import Captions, Cue

TIME_SCALE = 1000
CODECS = "wvtt"
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE = 0x55C4
"""`und`, packed: the manifest tells the language, and this field knows three letters alone."""
_SYNC = 0x02000000
"""Sample flags: depends on no other."""


def init_segment(captions: Captions) -> bytes:
    """The init segment: one track, its clock in milliseconds."""
    header = "\n\n".join(("WEBVTT", *captions.styles)).encode()
    label = _box("vlab", b"captions")  # some readers do not go without
    entry = _box("wvtt", bytes(6), struct.pack(">H", 1), _box("vttC", header), label)
    table = _box(
        "stbl",
        _full("stsd", 0, 0, struct.pack(">I", 1), entry),
        *(_full(name, 0, 0, bytes(4)) for name in ("stts", "stsc", "stco")),
        _full("stsz", 0, 0, bytes(8)),
    )
    data = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    media = _box(
        "mdia",
        _full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, TIME_SCALE, 0, _LANGUAGE, 0)),
        _full("hdlr", 0, 0, bytes(4), b"text", bytes(12), b"\0"),
        _box("minf", _full("nmhd", 0, 0), data, table),
    )
    # Enabled, in the movie.
    track = _full("tkhd", 0, 3, struct.pack(">5I", 0, 0, 1, 0, 0), bytes(16), _MATRIX, bytes(8))
    rates = struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    movie = _full(
        "mvhd", 0, 0, struct.pack(">4I", 0, 0, TIME_SCALE, 0), rates, _MATRIX, bytes(24),
        struct.pack(">I", 2),
    )  # fmt: skip
    extends = _box("mvex", _full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, _SYNC)))
    brands = b"cmfc" + bytes(4) + b"iso6cmfccwvt"
    return _box("ftyp", brands) + _box("moov", movie, _box("trak", track, media), extends)


def media_segment(captions: Captions, number: int, start_ms: int, end_ms: int) -> bytes:
    """The segment from `start_ms` to `end_ms`, `number` from 1: a sample for each time in which the
    same cues are shown; an empty one where there are none."""
    shown = [
        (at, cue)
        for at, cue in enumerate(captions.cues)
        if cue.start_ms < end_ms and cue.end_ms > start_ms
    ]
    changes = {time for _, cue in shown for time in (cue.start_ms, cue.end_ms)}
    edges = sorted({start_ms, end_ms} | {time for time in changes if start_ms < time < end_ms})
    samples = [
        (end - start, _sample([(n, c) for n, c in shown if c.start_ms < end and c.end_ms > start]))
        for start, end in pairwise(edges)
    ]
    fragment = _moof(number, start_ms, samples, 0)
    fragment = _moof(number, start_ms, samples, len(fragment) + 8)
    return b"".join(
        (
            _box("styp", b"msdh", bytes(4), b"msdhcmfc"),
            fragment,
            _box("mdat", *(data for _, data in samples)),
        )
    )


def _moof(number: int, start_ms: int, samples: Sequence[tuple[int, bytes]], offset: int) -> bytes:
    """`offset`: from the fragment's first byte to that of its first sample."""
    table = b"".join(struct.pack(">2I", lasts, len(data)) for lasts, data in samples)
    run = struct.pack(">Ii", len(samples), offset) + table
    track = _box(
        "traf",
        _full("tfhd", 0, 0x020000, struct.pack(">I", 1)),  # offsets are from this fragment
        _full("tfdt", 1, 0, struct.pack(">Q", start_ms)),
        _full("trun", 0, 0x301, run),  # offset; duration and size of each sample
    )
    return _box("moof", _full("mfhd", 0, 0, struct.pack(">I", number)), track)


def _sample(cues: Sequence[tuple[int, Cue]]) -> bytes:
    if not cues:
        return _box("vtte")
    return b"".join(
        _box(
            "vttc",
            _box("vsid", struct.pack(">i", number)),  # the same cue in another sample
            *([_box("iden", cue.name.encode())] if cue.name else []),
            *([_box("sttg", cue.settings.encode())] if cue.settings else []),
            _box("payl", cue.text.encode()),
        )
        for number, cue in cues
    )


def _box(kind: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind.encode("ascii") + content


def _full(kind: str, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)
