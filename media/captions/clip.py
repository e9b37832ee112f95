"""Text subtitles of a clip: what is said in it, timed from its beginning."""

from __future__ import annotations

from fractions import Fraction


def cut(start: Fraction, end: Fraction | None) -> str:
    """Bitstream filters that keep what is shown from `start` to `end`, in seconds, and time it from
    `start`; what is shown across an edge is shortened.

    FFmpeg's `-ss` and `-to` would leave out what began before, and shorten nothing.
    """
    begin, behind = f"({start})/TB", f"({end})/TB"
    outside = [f"lte((pts+duration)*tb,{start})"]
    outside += [f"gte(pts*tb,{end})"] if end is not None else []
    until = "PTS+DURATION" if end is None else f"min(PTS+DURATION,{behind})"
    steps = (
        f"noise=drop={'+'.join(outside)}",
        f"setts=ts=max(PTS-{begin},0):duration={until}-max(PTS,{begin})",
    )
    return ",".join(step.replace(",", "\\,") for step in steps)
