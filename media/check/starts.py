"""What the first sample of a segment is to a decoder, from its bytes: flags alone may lie.

In common encryption the headers that are read here stay in the clear (ISO/IEC 23001-7, 9.5 and
10.4.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from media.check.facts import Track
from media.probing.bitstream import h264_start

StartKind = Literal["closed", "open", "none"]

HEAD_BYTES = 1 << 16
"""So much of a sample is looked at: parameter sets and messages come before the picture."""
_HEVC_IDR = (19, 20)
_HEVC_RANDOM_ACCESS = range(16, 24)
_HEVC_PICTURES = range(32)
_OBU_FRAMES = (3, 6)
"""OBU_FRAME_HEADER and OBU_FRAME."""


def start_kind(track: Track, sample: bytes) -> StartKind | None:
    """Judge the head of a sample; None for sound, text and codecs that are not known."""
    try:
        match track.entry:
            case "avc1" | "avc3":
                return h264_start(sample, (track.config[4] & 3) + 1) or "none"
            case "hvc1" | "hev1":
                return _hevc(sample, (track.config[21] & 3) + 1)
            case "av01":
                return "closed" if _av1_key(sample) else "none"
            case "vp09":
                return "closed" if _vp9_key(sample) else "none"
            case _:
                return None
    except IndexError:
        return "none"


def _hevc(sample: bytes, length_size: int) -> StartKind:
    for kind in (nal[0] >> 1 & 63 for nal in _nal_units(sample, length_size)):
        if kind in _HEVC_IDR:
            return "closed"
        if kind in _HEVC_RANDOM_ACCESS:
            return "open"
        if kind in _HEVC_PICTURES:
            return "none"
    return "none"


def _nal_units(sample: bytes, length_size: int) -> Iterator[bytes]:
    at = 0
    while at + length_size < len(sample):
        size = int.from_bytes(sample[at : at + length_size], "big")
        at += length_size
        if size:
            yield sample[at : at + size]
        at += size


def _av1_key(sample: bytes) -> bool:
    """Whether the first frame of a temporal unit is a key frame that is shown (AV1, 5.9.2)."""
    at = 0
    while at < len(sample):
        head = sample[at]
        at += 2 if head & 4 else 1
        size, at = _leb128(sample, at) if head & 2 else (len(sample) - at, at)
        if head >> 3 & 15 in _OBU_FRAMES:
            return sample[at] >> 5 == 0  # show_existing_frame 0, frame_type 0: KEY_FRAME
        at += size
    return False


def _leb128(sample: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = sample[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise IndexError


def _vp9_key(sample: bytes) -> bool:
    """Whether the frame is a key frame (VP9, 6.2): marker 2 bits, profile 2 (3 in profile 3)."""
    head = sample[0]
    skip = 5 if head >> 4 & 3 == 3 else 4
    return head >> (7 - skip) & 1 == 0 and head >> (6 - skip) & 1 == 0
