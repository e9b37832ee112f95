"""A user's own command, run."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtake.errors import InvalidJob
from media.ffmpeg.raw import raw_command, run_raw
from tests.media.engine import no_tick, run


async def test_a_filter_that_never_ends_is_ended_with_words(tmp_path: Path) -> None:
    """Each frame an hour behind the last, so that two days come soon."""
    source = tmp_path / "in.mkv"
    run("-f", "lavfi", "-i", "testsrc2=s=16x16:r=25:d=1", "-c:v", "ffv1", source)
    endless = ("-vf", "loop=loop=-1:size=1,setpts=N*3600/TB", "-fps_mode", "vfr")
    command = raw_command(
        *(source, "matroska", (), (*endless, "-c:v", "ffv1"), tmp_path / "out.mkv", "matroska")
    )
    with pytest.raises(InvalidJob, match="longer than 48 hours"):
        await run_raw(command, no_tick)
