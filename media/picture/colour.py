"""Colour: what the source's numbers mean, what the output's shall mean, and HDR to SDR.

Names are FFmpeg's for the code points of ITU-T H.273.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from longtake.contracts.base import Contract
from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
_OF_601 = ("smpte170m", "bt470bg")
_SD = (1024, 576)


class Colour(Contract):
    """How numbers become light: H.273's primaries, transfer and matrix, and the range."""

    primaries: str
    transfer: str
    matrix: str
    full_range: bool = False

    def as_tags(self) -> str:
        """The filter that writes this on frames; encoder and container follow the frames."""
        return (
            f"setparams=color_primaries={self.primaries}:color_trc={self.transfer}"
            f":colorspace={self.matrix}:range={'full' if self.full_range else 'limited'}"
        )


BT709 = Colour(primaries="bt709", transfer="bt709", matrix="bt709")


class ToneMap(Contract):
    """HDR to SDR, as a table that FFmpeg looks colours up in."""

    transfer: str
    peak_nits: int
    """Brightest light of the source, which becomes white."""


def is_hdr(facts: VideoFacts) -> bool:
    """Whether the source is HDR10 (PQ) or HLG."""
    return facts.color_transfer in HDR_TRANSFERS


def keeps_hdr(facts: VideoFacts, settings: VideoSettings) -> bool:
    """Whether an HDR source stays HDR: as asked, else where the output has more than 8 bits."""
    if not is_hdr(facts):
        return False
    return settings.hdr == "keep" or (settings.hdr == "auto" and has_room(settings))


def with_room(facts: VideoFacts, settings: VideoSettings) -> VideoSettings:
    """The settings with 10 bits, where an HDR source shall have them without being asked."""
    if not (settings.ten_bits_for_hdr and is_hdr(facts)) or settings.hdr == "sdr":
        return settings
    return settings.model_copy(update={"pixel_format": "yuv420p10"})


def has_room(settings: VideoSettings) -> bool:
    """Whether the output has more than 8 bits, or as many as the source."""
    return settings.codec == "prores" or settings.pixel_format != "yuv420p"


def tone_map(facts: VideoFacts, settings: VideoSettings) -> ToneMap | None:
    """How an HDR source becomes SDR; None where it is SDR already, or stays HDR."""
    if not is_hdr(facts) or keeps_hdr(facts, settings):
        return None
    # HLG is relative: its nominal display has 1000 cd/m2 (BT.2100). PQ is absolute.
    peak = 1000 if facts.color_transfer == "arib-std-b67" else facts.peak_nits or 1000
    return ToneMap(transfer=facts.color_transfer or "", peak_nits=min(max(peak, 100), 10_000))


def source_colour(facts: VideoFacts) -> Colour:
    """The source's colour: its tags, and where they are missing what players assume."""
    sd = facts.width <= _SD[0] and facts.height <= _SD[1]
    guess = ("bt470bg" if facts.height > 486 else "smpte170m") if sd else "bt709"
    if facts.color_space == "bt709":  # it tells the rest, at any size: `-colorspace bt709` alone
        guess = "bt709"
    if facts.pixel_format.startswith(("rgb", "bgr", "gbr", "argb", "0rgb", "pal8")):
        guess, matrix = "bt709", "gbr"
    else:
        matrix = facts.color_space if facts.color_space not in (None, "gbr") else guess
    if is_hdr(facts):
        guess, matrix = "bt2020", facts.color_space or "bt2020nc"
    return Colour(
        primaries=facts.color_primaries or guess,
        transfer=facts.color_transfer or ("smpte170m" if guess in _OF_601 else guess),
        matrix=matrix,
        full_range=facts.color_range == "full"
        or facts.pixel_format.startswith("yuvj")
        or matrix == "gbr",
    )


def is_tagged(facts: VideoFacts) -> bool:
    """Whether the source itself says all of its colour."""
    said = (facts.color_primaries, facts.color_transfer, facts.color_space, facts.color_range)
    return all(said)


def output_colour(facts: VideoFacts, settings: VideoSettings, size: tuple[int, int]) -> Colour:
    """The output's colour: BT.709 for pictures that are to come out alike, and for SD colour in an
    HD picture: players that do not read tags assume it there."""
    source = source_colour(facts)
    if settings.conform or tone_map(facts, settings) is not None:
        return BT709
    if settings.pixel_format == "source":
        return source
    limited = source.model_copy(update={"full_range": False})
    hd = size[0] > _SD[0] or size[1] > _SD[1]
    if source.matrix == "gbr" or (source.matrix in _OF_601 and hd):
        return limited.model_copy(update={"matrix": "bt709"})
    return limited


_POINTS = 33
_UNTOUCHED = 0.3
"""Light below this part of SDR white stays as it is; above it is compressed."""
_SDR_WHITE_NITS = 100.0


def tone_table(tone: ToneMap) -> Iterator[str]:
    """Lines of a .cube table from BT.2020 HDR to BT.709 SDR.

    Display light of the HDR signal (BT.2100: PQ, or HLG with its system gamma of 1.2), BT.2020 to
    BT.709 (BT.2087), compressed, and the inverse of the SDR display's gamma (BT.1886).
    """
    light = _hlg_light if tone.transfer == "arib-std-b67" else _pq_light
    steps = [n / (_POINTS - 1) for n in range(_POINTS)]
    yield f"LUT_3D_SIZE {_POINTS}"
    peak = tone.peak_nits / _SDR_WHITE_NITS
    for blue in steps:
        for green in steps:
            for red in steps:
                shown = _mapped(_to_709(*light(red, green, blue)), peak)
                yield " ".join(f"{c ** (1 / 2.4):.6f}" for c in shown)


def _pq_light(red: float, green: float, blue: float) -> tuple[float, float, float]:
    r, g, b = (_pq(code) / _SDR_WHITE_NITS for code in (red, green, blue))
    return r, g, b


def _pq(code: float) -> float:
    """SMPTE ST 2084: cd/m2 of a code value from 0 to 1."""
    power = code ** (32 / 2523)
    linear: float = (max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (8192 / 1305)
    return 10_000 * linear


def _hlg_light(red: float, green: float, blue: float) -> tuple[float, float, float]:
    r, g, b = (_hlg(code) for code in (red, green, blue))
    luma = 0.2627 * r + 0.6780 * g + 0.0593 * b
    gain = 1000 * max(luma, 0.0) ** 0.2 / _SDR_WHITE_NITS
    return r * gain, g * gain, b * gain


def _hlg(code: float) -> float:
    """ARIB STD-B67: light of the scene, 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return code * code / 3 if code <= 0.5 else (math.exp((code - c) / a) + b) / 12


def _to_709(r: float, g: float, b: float) -> tuple[float, float, float]:
    return (
        1.6605 * r - 0.5876 * g - 0.0728 * b,
        -0.1246 * r + 1.1329 * g - 0.0083 * b,
        -0.0182 * r - 0.1006 * g + 1.1187 * b,
    )


def _mapped(light: tuple[float, float, float], peak: float) -> tuple[float, ...]:
    """Light of SDR: the brightest component goes through the curve, and the hue stays.

    In saturated colours the least component keeps its ratio to it, which keeps them saturated. Near
    grey it goes through the curve itself: there the ratio would be a tint. A cloud a tenth
    short of blue glows in HDR; in SDR, where it is all but white, it would look yellow. The middle
    one keeps its place between both (as in the tone curve of Adobe's DNG SDK).
    """
    r, g, b = (max(0.0, component) for component in light)
    least, brightest = min(r, g, b), max(r, g, b, 1e-9)
    grey = least / brightest
    top = _compressed(min(brightest, peak), peak)
    low = top * grey * (1 - grey) + _compressed(min(least, peak), peak) * grey
    stretch = (top - low) / max(brightest - least, 1e-9)
    return tuple(low + (component - least) * stretch for component in (r, g, b))


def _compressed(light: float, peak: float) -> float:
    """The Mobius curve: straight below the knee, `peak` becomes 1."""
    knee = _UNTOUCHED
    if light <= knee or peak <= 1:
        return min(light, 1.0)
    a = -knee * knee * (peak - 1) / (knee * knee - 2 * knee + peak)
    b = (knee * knee - 2 * knee * peak + peak) / (peak - 1)
    return (b * b + 2 * b * knee + knee * knee) / (b - a) * (light + a) / (light + b)
