"""H.264, HEVC and AV1 by NVENC: no promise on bytes beyond card and driver (design, section 2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, cap, rate

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

LONGEST_GOP_S = 5
"""Where no distance is asked for. NVENC sets no keyframe at cuts, and FFmpeg would let it go on
for 250 frames, whatever their rate."""

NO_DEVICE = (
    "OpenEncodeSessionEx failed",
    "Cannot load libcuda",
    "Cannot load libnvidia-encode",
    "No capable devices found",
    "Driver does not support the required nvenc API version",
    "CUDA_ERROR_",
    "Unsupported device",
)
"""FFmpeg's words for a card that is not there, too old, or has no session free."""


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """NVENC at the quality of the same CRF, roughly: its `cq` has the scale of x264, x265 and
    SVT-AV1."""
    settings = video.settings
    return (
        *("-c:v", video.encoder, "-preset", "p5", "-pix_fmt", _pixel_format(video)),
        # Without -b:v 0 its usual 2 Mbit/s would bound the quality.
        *("-rc", "vbr", "-cq", str(settings.crf), "-b:v", "0"),
        *cap(video),
        *(("-profile:v", settings.profile) if settings.profile else ()),
        *("-g", str(video.gop_frames or math.ceil(LONGEST_GOP_S * rate(video)))),
        *("-forced-idr", "1"),  # a keyframe that is asked for is one that players can seek to
        *(("-tag:v", "hvc1") if video.encoder == "hevc_nvenc" else ()),  # as of x265
    )


def _pixel_format(video: VideoPlan) -> str:
    """NVENC takes 10 bits with their chroma in one plane, in the upper bits of each word."""
    return {"yuv420p10le": "p010le"}.get(video.pixel_format, video.pixel_format)


def lacks_device(stderr: str) -> bool:
    """Whether FFmpeg failed for want of the device, and not for what it was given."""
    return any(words in stderr for words in NO_DEVICE)


ENCODER = Encoder(arguments)
