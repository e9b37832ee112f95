"""WebVTT (W3C) from cues that were read: words and times alone."""

from __future__ import annotations

import html
from collections.abc import Iterable

from media.captions import Cue


def document(cues: Iterable[Cue], length_s: float) -> str:
    """A WebVTT file of the cues that are shown within the first `length_s` seconds."""
    end = round(length_s * 1000)
    shown = [cue for cue in cues if cue.end_ms > 0 and cue.start_ms < end]
    blocks = (
        f"{_clock(max(0, cue.start_ms))} --> {_clock(min(cue.end_ms, end))}\n"
        f"{html.escape(cue.text, quote=False)}\n"
        for cue in shown
    )
    return "\n".join(("WEBVTT\n", *blocks))


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{ms:03}"
