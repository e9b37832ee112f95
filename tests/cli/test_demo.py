from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from longtake.cli.clip import make_clip
from tests.cli.conftest import Command
from tests.cli.test_transcode import line_with

pytestmark = [pytest.mark.slow, pytest.mark.kill]


def left_running(folder: Path) -> list[str]:
    """Processes of the demonstration: by their command line, or by their home."""
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("LONGTAKE_HOME", "")
            line = " ".join([*process.cmdline(), home])
        except psutil.Error:
            continue
        if str(folder) in line:
            found.append(line)
    return found


async def test_the_demonstration_proves_what_it_says(alone: Command, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    alone.environment["TMPDIR"] = str(tmp_path / "tmp")
    process = await alone.start("demo")
    out, err = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, err.decode()
    assert "the same, byte for byte" in out.decode()
    assert "kill -9" in err.decode()
    assert "longtake transcode YOUR_FILE -o out.mp4" in err.decode()
    assert list((tmp_path / "tmp").glob("longtake-*")) == []
    assert left_running(tmp_path / "tmp") == []


async def test_an_interrupted_demonstration_leaves_nothing(alone: Command, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    alone.environment["TMPDIR"] = str(tmp_path / "tmp")
    await asyncio.to_thread(make_clip, tmp_path / "mine.mp4")
    process = await alone.start("demo", str(tmp_path / "mine.mp4"))
    await line_with(process.stderr, "encoding")
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 130
    assert list((tmp_path / "tmp").glob("longtake-*")) == []
    assert left_running(tmp_path / "tmp") == []
