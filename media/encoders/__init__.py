"""Encoders of the picture: one module a codec, each the only place that knows its options.

What is the same for all: one thread where the plan says one, no bytes that depend on the
host, quality from the settings or a bit rate from an analysis (`media.rates`).
"""

from __future__ import annotations

from media.encoders import av1, av1_alpha, ffv1, gif, h264, hevc, nvenc, prores, vp9, webp
from media.encoders.base import Encoder

ENCODERS: dict[str, Encoder] = {
    "h264": h264.ENCODER,
    "hevc": hevc.ENCODER,
    "av1": av1.ENCODER,
    "av1_alpha": av1_alpha.ENCODER,
    "vp9": vp9.ENCODER,
    "prores": prores.ENCODER,
    "ffv1": ffv1.ENCODER,
    "gif": gif.ENCODER,
    "webp": webp.ENCODER,
    "h264_nvenc": nvenc.ENCODER,
    "hevc_nvenc": nvenc.ENCODER,
    "av1_nvenc": nvenc.ENCODER,
}
"""By the name in a plan."""
