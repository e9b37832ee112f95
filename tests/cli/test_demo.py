from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Command
from tests.cli.test_transcode import line_with
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = [pytest.mark.slow, pytest.mark.kill]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files with a short name: sockets are made in it, whose paths may not
    be longer than a hundred letters."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as name:
        yield Path(name)


def left_behind(folder: Path) -> list[str]:
    """Files of the demonstration, and its processes: by their command line, or by their home."""
    found = [str(path) for path in folder.glob("longtake-*")]
    for process in psutil.process_iter():
        try:
            home = process.environ().get("LONGTAKE_HOME", "")
            line = " ".join([*process.cmdline(), home])
        except psutil.Error:
            continue
        if str(folder) in line:
            found.append(line)
    return found


async def test_the_demonstration_proves_what_it_says(alone: Command, short: Path) -> None:
    alone.environment["TMPDIR"] = str(short)
    process = await alone.start("demo")
    out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 0, err.decode()
    assert "the same, byte for byte" in out.decode()
    assert "kill -9" in err.decode()
    assert "longtake transcode YOUR_FILE -o out.mp4" in err.decode()
    assert left_behind(short) == []


async def test_an_interrupted_demonstration_leaves_nothing(
    alone: Command, tmp_path: Path, short: Path
) -> None:
    alone.environment["TMPDIR"] = str(short)
    mine = tmp_path / "mine.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=960x540:r=25:d=8", "-vf", "noise=alls=12:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", 50, "-pix_fmt", "yuv420p", mine),
    )
    process = await alone.start("demo", str(mine))
    await line_with(process.stderr, "encoding")
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 130
    assert left_behind(short) == []
