"""What HDR says of its light, beside its pixels: read from decoded frames, and taken off them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from longtake.contracts.media import HdrLight

_CHROMATICITY, _LUMINANCE = 50_000, 10_000
"""Steps of the standards, to one."""
_KINDS = (
    "MASTERING_DISPLAY_METADATA",
    "CONTENT_LIGHT_LEVEL",
    "DYNAMIC_HDR_PLUS",
    "DOVI_METADATA",
    "DOVI_RPU_BUFFER",
)


def read_light(frame: Any) -> HdrLight | None:
    """The static metadata of a decoded frame, as far as they are told."""
    given = {} if frame is None else {item.type.name: bytes(item) for item in frame.side_data}
    display, level = given.get(_KINDS[0]), given.get(_KINDS[1])
    # AVMasteringDisplayMetadata: ten rationals, and two flags of what is given.
    numbers = struct.unpack("=20i2i", display[:88]) if display else (0,) * 22
    chromaticity, luminance = numbers[:16], numbers[16:20]
    cll, fall = struct.unpack("=2I", level[:8]) if level else (0, 0)
    if not (numbers[20] or numbers[21] or cll or fall):  # x265 writes zeros for unknown
        return None
    return HdrLight(
        chromaticity=_steps(chromaticity, _CHROMATICITY) if numbers[20] else None,
        luminance=_steps(luminance, _LUMINANCE) if numbers[21] else None,
        max_cll=cll or None,
        max_fall=fall or None,
    )


def _steps(rationals: Sequence[int], steps: int) -> tuple[int, ...]:
    pairs = zip(rationals[::2], rationals[1::2], strict=True)
    return tuple(round(steps * above / (below or 1)) for above, below in pairs)


def peak_nits(light: HdrLight | None) -> int | None:
    """The brightest light that is named, in cd/m2: the content's, else its master's."""
    if light is None:
        return None
    if light.max_cll:
        return light.max_cll
    return round(light.luminance[1] / _LUMINANCE) if light.luminance else None


def in_words(light: HdrLight | None) -> str | None:
    """For people."""
    if light is None:
        return None
    words = []
    if light.luminance:
        least, most = (steps / _LUMINANCE for steps in light.luminance)
        words.append(f"mastered for {least:g} to {most:g} cd/m²")
    if light.max_cll or light.max_fall:
        words.append(f"MaxCLL {light.max_cll or 0}, MaxFALL {light.max_fall or 0}")
    return ", ".join(words) or None


def without_light() -> tuple[str, ...]:
    """Filters that take off frames what HDR says of its light: of SDR it is not true."""
    return tuple(f"sidedata=mode=delete:type={kind}" for kind in _KINDS)


def for_x265(light: HdrLight) -> tuple[str, ...]:
    """Parameters with which x265 writes it, in the steps of the standards."""
    return _told("master-display", "max-cll", light, 1, 1)


def for_svt_av1(light: HdrLight) -> tuple[str, ...]:
    """Parameters with which SVT-AV1 writes it, in chromaticities and cd/m2."""
    return _told("mastering-display", "content-light", light, _CHROMATICITY, _LUMINANCE)


def _told(display: str, level: str, light: HdrLight, xy: int, nits: int) -> tuple[str, ...]:
    found = []
    if light.chromaticity and light.luminance:
        red, green, blue, white = (
            f"({x / xy:.10g},{y / xy:.10g})"
            for x, y in zip(light.chromaticity[::2], light.chromaticity[1::2], strict=True)
        )
        least, most = (f"{steps / nits:.10g}" for steps in light.luminance)
        found.append(f"{display}=G{green}B{blue}R{red}WP{white}L({most},{least})")
    if light.max_cll or light.max_fall:
        found.append(f"{level}={light.max_cll or 0},{light.max_fall or 0}")
    return tuple(found)
