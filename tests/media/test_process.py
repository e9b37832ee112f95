"""A child's failure is blamed on what caused it: the input, or the machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from longtake.errors import (
    InputUnsupported,
    ProcessKilled,
    ProcessStalled,
    ResourceExhausted,
    StorageUnavailable,
)
from media.children import isolate
from media.children.process import Limits, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.ffmpeg.tools import ffmpeg
from media.probing.probe import probe
from tests.media.engine import run
from tests.patience import WAIT_S


def _encode(target: Path, *options: str) -> list[str]:
    source = ("-f", "lavfi", "-i", "testsrc2=s=1920x1080:d=0.2")
    encoder = ("-c:v", "libx264", *options)
    return Ffmpeg.quiet().then(*source, *encoder).write(target, "mp4").arguments()


async def test_an_output_that_cannot_be_opened_is_no_fault_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="gone cannot be written"):
        await run_ffmpeg(_encode(tmp_path / "gone" / "a.mp4"))


async def test_an_option_that_is_refused_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    command = [ffmpeg(), "-hide_banner", "-f", "lavfi", "-i", "sine=d=1", "-t", "-1"]
    with pytest.raises(ProcessFailed, match="Invalid argument"):
        await run_ffmpeg([*command, str(tmp_path / "out.wav")])


@pytest.mark.parametrize("mib", [180, 260, 340, 420, 500])
async def test_too_little_memory_is_no_fault_of_the_input(tmp_path: Path, mib: int) -> None:
    """Wherever it is missed first: by the loader, a thread's stack, the encoder's buffers."""
    command = _encode(tmp_path / "a.mp4", "-threads", "8")
    with pytest.raises(ResourceExhausted, match="memory"):
        await run_ffmpeg(command, limits=Limits(memory_bytes=mib << 20))


async def test_settings_that_an_encoder_refuses_are_no_lack_of_memory(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="baseline"):
        await run_ffmpeg(_encode(tmp_path / "a.mp4", "-profile:v", "baseline", "-pix_fmt", "gbrp"))


@pytest.mark.parametrize(("what", "stream"), [("picture", "0:v"), ("sound", "0:a")])
async def test_a_codec_that_is_not_decoded_is_no_damage(
    what: str, stream: str, tmp_path: Path
) -> None:
    source = tmp_path / "old.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-f", "lavfi", "-i", "sine=d=1"),
        *("-c:v", "snow", "-strict", "-2", "-c:a", "g722", "-ar", "16000", source),
    )
    command = Ffmpeg.quiet().read(source, "matroska").then("-map", stream).write("-", "null")
    with pytest.raises(InputUnsupported, match=f"the {what} is (snow|g722), which .* not decode"):
        await run_ffmpeg(command.arguments())
    assert (await probe(source)).audio[0].codec == "g722"


async def test_a_reader_that_stands_still_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "STALL_S", 0.5)
    with pytest.raises(ProcessStalled, match="stood still"):
        await isolate.in_child(time.sleep, 60)


@pytest.mark.parametrize("victim", ["reader", "server"])
async def test_a_reader_that_is_killed_is_no_fault_of_its_file(victim: str) -> None:
    end = signal.raise_signal if victim == "reader" else kill_parent
    with pytest.raises(ProcessKilled, match="from outside"):
        await isolate.in_child(end, signal.SIGKILL)
    assert await isolate.in_child(abs, -1) == 1


def kill_parent(number: int) -> None:
    os.kill(os.getppid(), number)
    time.sleep(WAIT_S)
