"""Profiles and levels of H.264, HEVC and AV1, as CODECS tells them (RFC 6381)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_AVC = (
    *((10, 1485, 99, 64), (11, 3000, 396, 192), (12, 6000, 396, 384), (13, 11880, 396, 768)),
    *((20, 11880, 396, 2000), (21, 19800, 792, 4000), (22, 20250, 1620, 4000)),
    *((30, 40500, 1620, 10000), (31, 108000, 3600, 14000), (32, 216000, 5120, 20000)),
    *((40, 245760, 8192, 20000), (41, 245760, 8192, 50000), (42, 522240, 8704, 50000)),
    *((50, 589824, 22080, 135000), (51, 983040, 36864, 240000), (52, 2073600, 36864, 240000)),
    *((60, 4177920, 139264, 240000), (61, 8355840, 139264, 480000)),
    (62, 16711680, 139264, 800000),
)
"""ITU-T H.264, table A-1: level, macroblocks a second, macroblocks, kbit/s."""
_HEVC = (
    *((30, 552960, 36864, 128), (60, 3686400, 122880, 1500), (63, 7372800, 245760, 3000)),
    *((90, 16588800, 552960, 6000), (93, 33177600, 983040, 10000)),
    *((120, 66846720, 2228224, 12000), (123, 133693440, 2228224, 20000)),
    *((150, 267386880, 8912896, 25000), (153, 534773760, 8912896, 40000)),
    *((156, 1069547520, 8912896, 60000), (180, 1069547520, 35651584, 60000)),
    *((183, 2139095040, 35651584, 120000), (186, 4278190080, 35651584, 240000)),
)
"""ITU-T H.265, tables A.8 and A.9, Main tier: level, samples a second, samples, kbit/s."""
_MACROBLOCK = 16
_SLACK = 2
"""Encoders count reference frames and caps of the bit rate, too, of which nothing is known here."""


@dataclass(frozen=True)
class Coded:
    """What a word of CODECS says of a picture. `level` is in the unit of its codec."""

    family: str
    profile: int
    level: int
    high_tier: bool = False
    bits: int = 8


def coded(codec: str) -> Coded | None:
    """Profile and level of a codec; None of one that is none of the three."""
    if found := re.fullmatch(r"avc[13]\.([0-9a-fA-F]{2})[0-9a-fA-F]{2}([0-9a-fA-F]{2})", codec):
        profile = int(found[1], 16)
        return Coded("H.264", profile, int(found[2], 16), bits=10 if profile == 110 else 8)
    if found := re.match(r"(?:hvc1|hev1)\.[A-C]?(\d{1,2})\.[0-9A-Fa-f]+\.([LH])(\d{1,3})", codec):
        profile = int(found[1])
        return Coded("HEVC", profile, int(found[3]), found[2] == "H", 10 if profile > 1 else 8)
    if found := re.match(r"av01\.(\d)\.(\d\d)([MH])\.(\d\d)", codec):
        return Coded("AV1", int(found[1]), int(found[2]), found[3] == "H", int(found[4]))
    return None


def is_played(told: Coded) -> bool:
    """Whether Apple's devices play it at all (1.3b, 1.6b, 1.37)."""
    if told.family == "H.264":
        return told.profile <= 100 and told.level <= 52
    if told.family == "HEVC":
        return told.profile <= 2 and told.level <= 153
    return told.level <= 18  # seq_level_idx of 6.2


def is_common(told: Coded) -> bool:
    """Whether old devices play it, too (1.3a, 1.6a)."""
    if told.family == "H.264":
        return told.profile <= 100 and told.level <= 41
    if told.family == "HEVC":
        return told.profile <= 2 and told.level <= 120 and not told.high_tier
    return True


def is_needed(told: Coded, size: tuple[int, int], rate: Fraction, peak_bps: Fraction) -> bool:
    """Whether a picture of this size, frame rate (Hz) and bit rate needs about its level."""
    if told.family == "AV1":
        return True
    is_avc = told.family == "H.264"
    table, unit = (_AVC, _MACROBLOCK) if is_avc else (_HEVC, 1)
    area = -(-size[0] // unit) * -(-size[1] // unit)
    levels = [level for level, *_ in table]
    wanted = next(
        (
            place
            for place, (_, most, largest, kbps) in enumerate(table)
            if area <= largest and area * rate <= most and peak_bps <= kbps * 1000
        ),
        len(table) - 1,
    )
    allowed = levels[min(wanted + _SLACK, len(levels) - 1)]
    return told.level <= allowed
