"""JPEG pictures one behind the other in a file, as FFmpeg's `mjpeg` muxer writes them."""

from __future__ import annotations

import re

_PICTURE = re.compile(rb"\xff\xd8\xff.*?\xff\xd9(?=\xff\xd8\xff|\Z)", re.DOTALL)
"""From SOI to EOI (ITU-T T.81, B.1): coded data never holds 0xFF with a byte but 0 or RST."""


def split(data: bytes) -> list[bytes]:
    """The pictures, in order."""
    return _PICTURE.findall(data)
