"""Look into a file as an expert would: `python -m media.probing.probe FILE` prints
it as JSON.

Facts come from demuxing (`inspect`). Sound is also decoded once, for only samples tell
whether it is clipped; jobs do not pay for that.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.probe import Loudest, Probe
from longtake.errors import InputUnsupported
from media.children.document import print_document
from media.children.process import ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.probing.findings import findings
from media.probing.in_child import inspect_in_child

FLAT_FACTOR = 1.0
"""Of `astats`: above it, samples stay at the peak for some time. A sine at full scale that is
not clipped has 0."""


async def probe(path: Path, name: str | None = None) -> Probe:
    """Facts and findings of a file, called `name` where it came from if that is elsewhere.

    Raises what `inspect_in_child` raises.
    """
    facts, _ = await inspect_in_child(path)  # which is shut in; this process is not
    loudest = [await _loudest(path, facts, audio) for audio in facts.audio]
    heard = tuple(track for track in loudest if track is not None)
    return Probe(
        **facts.model_dump(),
        loudest=heard,
        findings=tuple(findings(name or path.name, facts, heard)),
    )


async def _loudest(path: Path, facts: MediaFacts, audio: AudioFacts) -> Loudest | None:
    """The loudest samples of a stream; None if it does not decode."""
    measure = "astats=measure_perchannel=none:measure_overall=Peak_level+Flat_factor"
    command = (
        Ffmpeg.quiet()
        .measuring()
        .read(path, facts.container)
        .then("-map", f"0:{audio.index}", "-vn", "-sn", "-dn", "-af", measure)
        .write("-", "null")
    )
    try:
        told = (await run_ffmpeg(command.arguments())).stderr
    except (ProcessFailed, InputUnsupported):
        return None
    peak, flat = _number("Peak level dB", told), _number("Flat factor", told)
    if peak is None or flat is None or not math.isfinite(peak):
        return None
    return Loudest(stream=audio.index, peak_dbfs=round(peak, 2), flat=flat > FLAT_FACTOR)


def _number(name: str, told: str) -> float | None:
    found = re.findall(rf"{name}: (-?[\d.]+|-inf)", told)
    return float(found[-1]) if found else None


if __name__ == "__main__":
    sys.exit(print_document(probe(Path(sys.argv[1]))))
