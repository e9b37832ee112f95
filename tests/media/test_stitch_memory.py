"""A programme's length costs no memory."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import psutil

from tests.media.engine import run
from tests.media.programme import stitch


async def test_a_long_programme_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """Seven minutes: 74 MB of samples, held to a part of that in this process and in each child."""
    hum = tmp_path / "hum.flac"
    run("-f", "lavfi", "-i", "sine=200:r=44100:d=215", "-af", "volume=0.2", hum)
    own = psutil.Process()
    before = own.memory_info().rss
    done, held, filters = threading.Event(), [before], [0]

    def watch() -> None:
        while not done.wait(0.02):
            held.append(own.memory_info().rss)
            for child in own.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "ffmpeg" in child.name():
                        filters.append(child.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        made = await stitch(
            tmp_path,
            timeline=[{"source": str(hum)}, {"source": str(hum)}],
            outputs=[{"uri": str(tmp_path / "out.flac")}],
            join={"crossfade_s": 2},
        )
    finally:
        done.set()
        watching.join()
    assert made.mix.path.stat().st_size > 70 << 20
    assert max(held) - before < 40 << 20
    assert len(filters) > 10
    assert max(filters) < 100 << 20
