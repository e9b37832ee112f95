"""Pixel formats: which a codec holds without conversion, and which one an output gets."""

from __future__ import annotations

from longtake.contracts.encode import VideoSettings
from longtake.errors import InputUnsupported

_SUBSAMPLED = ("yuv420p", "yuv422p", "yuv444p")


def _with_depths(names: tuple[str, ...], *depths: int) -> frozenset[str]:
    return frozenset((*names, *(f"{name}{depth}le" for name in names for depth in depths)))


HELD: dict[str, frozenset[str]] = {
    "h264": _with_depths((*_SUBSAMPLED, "gray"), 10) | {f"yuvj{n}p" for n in (420, 422, 444)},
    "hevc": _with_depths((*_SUBSAMPLED, "gray", "gbrp"), 10, 12)
    | {f"yuvj{n}p" for n in (420, 422, 444)},
    "av1": frozenset(("yuv420p", "yuvj420p", "yuv420p10le")),
    # Alpha in VP9 is a second stream beside the first, which MP4 fragments do not carry.
    "vp9": _with_depths((*_SUBSAMPLED, "yuv440p", "gbrp"), 10, 12),
    "prores": frozenset(("yuv422p10le", "yuv444p10le", "yuva444p10le")),
    "ffv1": _with_depths((*_SUBSAMPLED, "gray"), 9, 10, 12, 14, 16)
    | _with_depths(("yuva420p", "yuva422p", "yuva444p"), 9, 10, 16)
    | {f"yuvj{n}p" for n in (420, 422, 444)}
    | {"yuva422p12le", "yuva444p12le", "yuv440p", "yuv440p10le", "yuv440p12le"}
    | {"yuv411p", "yuv410p", "bgr0", "bgra", "ya8", "rgb48le", "rgba64le"}
    | {f"gbrp{depth}le" for depth in (9, 10, 12, 14, 16)}
    | {f"gbrap{depth}le" for depth in (10, 12, 14, 16)},
}
"""By the codec's name in a job, under FFmpeg's names, as its encoders list them."""

_SAME_SAMPLES = {
    "rgb24": "bgr0",
    "bgr24": "bgr0",
    "rgb0": "bgr0",
    "gbrp": "bgr0",
    "rgba": "bgra",
    "argb": "bgra",
    "abgr": "bgra",
    "gbrap": "bgra",
    "pal8": "bgra",
    "rgb48be": "rgb48le",
    "rgba64be": "rgba64le",
    "uyvy422": "yuv422p",
    "yuyv422": "yuv422p",
    "nv12": "yuv420p",
    "p010le": "yuv420p10le",
}
"""The same samples in another order: no bit is lost on the way."""


def held_format(source: str, settings: VideoSettings) -> str:
    """The pixel format that a picture in the format `source` gets.

    Raises InputUnsupported if the codec cannot hold what is asked for.
    """
    codec = settings.codec
    if codec == "prores":
        return _prores_format(source, settings)
    if codec in ("gif", "webp"):  # what they store, the encoder makes of this
        return "yuva444p" if has_alpha(source) else "yuv444p"
    if settings.alpha:
        return {"yuv420p10": "yuva420p10le"}.get(settings.pixel_format, "yuva420p")
    if settings.pixel_format != "source":
        return {"yuv420p": "yuv420p", "yuv420p10": "yuv420p10le"}[settings.pixel_format]
    if source in HELD[codec]:
        return source
    same = _SAME_SAMPLES.get(source)
    if same in HELD[codec]:
        return str(same)
    others = [name for name, held in HELD.items() if source in held and name != "prores"]
    instead = f", choose {' or '.join(others)}" if others else ""
    raise InputUnsupported(
        f"{codec} cannot hold the pixel format {source} as it is: "
        f"use pixel_format yuv420p{instead}, or copy the stream"
    )


def has_alpha(pixel_format: str) -> bool:
    """Whether a picture in this format is transparent in places."""
    return pixel_format.startswith(("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya", "pal8"))


def _prores_format(source: str, settings: VideoSettings) -> str:
    """The profile decides: 4:2:2, or 4:4:4 with the source's alpha (Apple ProRes white paper)."""
    if settings.profile not in ("4444", "4444xq"):
        return "yuv422p10le"
    return "yuva444p10le" if has_alpha(source) else "yuv444p10le"
