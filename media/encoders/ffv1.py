"""FFV1 (RFC 9043): lossless, for archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """Version 3 as archives want it: slices with checksums, every frame on its own."""
    return (
        *("-c:v", "ffv1", "-level", "3", "-g", "1"),
        # Four slices decode on four cores; each has a checksum, so damage is found and bounded.
        *("-slices", "4", "-slicecrc", "1"),
        *("-coder", "range_tab", "-context", "1"),  # smallest, still as fast as a disk
        *("-pix_fmt", video.pixel_format, "-threads", str(video.threads)),
    )


ENCODER = Encoder(arguments, carrier="mov")
