"""What a packet says that its container does not: can a decoder start here, is it shown?

A container's keyframe flag is no proof: x264's intra refresh is flagged at recovery points
that need many frames to become whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

_IDR = 5
_SEI = 6
_RECOVERY_POINT = 6


def h264_start(packet: bytes, length_size: int | None) -> Literal["closed", "open"] | None:
    """Does decoding from this packet give whole pictures at once?

    "closed": an IDR picture, which nothing after it reaches behind. "open": a recovery point
    with `recovery_frame_cnt` 0 (ITU-T H.264, D.2.8), whose leading pictures may. None: no.
    `length_size`: bytes of a NAL's length field, None for Annex B.
    """
    for nal in _nal_units(packet, length_size):
        kind = nal[0] & 0x1F
        if kind == _IDR:
            return "closed"
        if kind == _SEI:
            count = _recovery_frame_count(nal[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
            if count is not None:
                return "open" if count == 0 else None
    return None


def h264_length_size(extradata: bytes | None) -> int | None:
    """Bytes of a NAL's length field, from the avcC record; None where there is no such record."""
    if extradata and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    return None


def x264_build(data: bytes) -> int | None:
    """The build of x264 that made a stream, from its message in the first packet."""
    found = re.search(rb"x264 - core (\d+)", data)
    return int(found.group(1)) if found else None


def vp8_is_shown(packet: bytes) -> bool:
    """VP8 hides reference frames between the shown ones (RFC 6386, 9.1: show_frame)."""
    return bool(packet and packet[0] >> 4 & 1)


def _nal_units(packet: bytes, length_size: int | None) -> Iterator[bytes]:
    if length_size is None:
        for piece in re.split(rb"\x00\x00\x01", packet):
            if piece:
                yield piece
        return
    at = 0
    while at + length_size < len(packet):
        size = int.from_bytes(packet[at : at + length_size], "big")
        at += length_size
        if size:
            yield packet[at : at + size]
        at += size


def _recovery_frame_count(payload: bytes) -> int | None:
    """`recovery_frame_cnt` of the first recovery point among SEI messages."""
    at = 0
    while at + 2 <= len(payload) and payload[at] != 0x80:
        kind, at = _sei_number(payload, at)
        size, at = _sei_number(payload, at)
        if kind == _RECOVERY_POINT:
            return _exp_golomb(payload[at : at + size])
        at += size
    return None


def _sei_number(payload: bytes, at: int) -> tuple[int, int]:
    total = 0
    while at < len(payload) and payload[at] == 0xFF:
        total, at = total + 255, at + 1
    return total + (payload[at] if at < len(payload) else 0), at + 1


def _exp_golomb(data: bytes) -> int:
    """The ue(v) code at the start of `data` (ITU-T H.264, 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
