"""`longtake demo`: kill a worker in the middle of its work, and lose nothing.

One clip is transcoded twice, each time by a service of its own in a folder of its own. The first
run is left alone. In the second, the worker is killed half-way with everything that works for
it. Both files must be the same, byte for byte.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from longtake import preflight
from longtake.cli.clip import SECONDS, make_clip
from longtake.cli.console import err, out, say
from longtake.cli.display import display, duration
from longtake.cli.report import size
from longtake.cli.session import INTERRUPTED, keep_stdout_clean
from longtake.contracts.result import JobResult
from longtake.contracts.transcode import Transcode
from longtake.errors import LongtakeError
from longtake.paths import absolute
from longtake.words import counted

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.embedded import ServiceState

PRESET = "web-720p"
HALF_WAY = 0.5
LONGEST_S = 30
"""Of a file that is given, no more than this is used: the show must end."""


def demo(
    file: Annotated[
        str | None, typer.Argument(help="Your own clip. Default: one is made.", metavar="FILE")
    ] = None,
) -> None:
    """Kill a worker in the middle of a job, and watch the job go on where it was."""
    if file is not None:
        preflight.check_input(absolute(file))
    # Whatever cluster or folder is in use is left alone.
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "LONGTAKE_"))]:
        del os.environ[name]
    keep_stdout_clean()
    try:
        same = asyncio.run(_show(file))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted; both services are stopped")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if same else 1)


async def _show(file: str | None) -> bool:
    _end_well_on_signals()
    begun = monotonic()
    with tempfile.TemporaryDirectory(prefix="longtake-demo-") as name:
        folder = Path(name)
        source = await _source(file, folder)
        _title("1", "an undisturbed run, to compare with")
        async with _service(folder / "calm") as (longtake, _):
            calm = await _undisturbed(longtake, _job(source, folder / "calm.mp4"))
        _title("2", "the same again, and half-way its worker is killed")
        async with _service(folder / "rough") as (longtake, state):
            rough = await _disturbed(longtake, state, _job(source, folder / "rough.mp4"))
        _title("3", "the proof")
        return _prove(calm, rough, monotonic() - begun)


def _job(source: Path, output: Path) -> Transcode:
    return Transcode.model_validate(
        {
            "input": str(source),
            "output": str(output),
            "preset": PRESET,
            "video": {"smart_copy": False},
            "end": LONGEST_S,
            "chunk_s": 2,
        }
    )


async def _source(file: str | None, folder: Path) -> Path:
    if file is not None:
        return Path(absolute(file))
    clip = folder / "clip.mp4"
    say(f"making a clip of {SECONDS} seconds")
    await asyncio.to_thread(make_clip, clip)
    return clip


async def _undisturbed(longtake: Longtake, job: Transcode) -> JobResult:
    handle = await longtake.start(job)
    shown = display()
    try:
        async for progress in handle.progress():
            shown.show(progress)
    finally:
        shown.close()
    result = await handle.result()
    _sum_up(result)
    return result


async def _disturbed(longtake: Longtake, state: ServiceState, job: Transcode) -> JobResult:
    handle = await longtake.start(job)
    shown = display()
    killed = False
    try:
        async for progress in handle.progress():
            shown.show(progress)
            if not killed and progress.stage == "encoding" and progress.fraction >= HALF_WAY:
                _kill_worker(state, progress.chunks_done)
                killed = True
    finally:
        shown.close()
    if not killed:
        raise LongtakeError(
            "the clip was done before its worker could be killed; take a longer one"
        )
    result = await handle.result()
    _sum_up(result)
    return result


def _kill_worker(state: ServiceState, chunks_done: int) -> None:
    pid = next(worker.pid for worker in state.workers if "cpu" in worker.roles)
    assert pid is not None
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    err.print(f"kill -9 {pid}", style="bold red")
    say(f"  the worker is dead, and its encoders with it; {chunks_done} chunks are safe on disk")
    say("  the service starts another one; what the dead one held is handed out again as soon as")
    say("  it has been silent for 15 seconds, and only that is encoded again")


@asynccontextmanager
async def _service(home: Path) -> AsyncIterator[tuple[Longtake, ServiceState]]:
    """A service of our own, which is gone afterwards."""
    from longtake import service
    from longtake.client import Longtake

    os.environ["LONGTAKE_HOME"] = str(home)
    try:
        async with Longtake.connect() as longtake:
            await longtake.temporal()
            state = service.status().service
            if state is None:
                raise LongtakeError(f"the service in {home} ended at once; see {home / 'logs'}")
            say(f"Temporal UI: {state.ui}")
            yield longtake, state
    finally:
        await service.stop()


def _sum_up(result: JobResult) -> None:
    stats = result.stats
    words = f"done in {duration(stats.wall_s)}: {counted(stats.chunks, stats.counts)}"
    say(f"{words}, {counted(stats.retries, 'steps')} begun again" if stats.retries else words)


def _prove(calm: JobResult, rough: JobResult, took_s: float) -> bool:
    (first,), (second,) = calm.outputs, rough.outputs
    same = first.sha256 == second.sha256
    out.print(f"undisturbed  {first.sha256}  {size(first.bytes)}")
    out.print(f"killed       {second.sha256}  {size(second.bytes)}")
    if same:
        out.print("the same, byte for byte", style="bold green")
    else:
        out.print("they differ: this is a bug, please report it", style="bold red")
    say(f"\nThat took {duration(took_s)}. Now with a file of yours:\n")
    for command in (
        f"transcode YOUR_FILE -o out.mp4 -p {PRESET}",
        "presets",
        "up           # the service in the foreground, with the address of its UI",
        "doctor       # if something is odd",
    ):
        say(f"  {_as_typed()} {command}")
    return same


def _as_typed() -> str:
    """How a person starts this program: by its name, or by its path in a .venv."""
    if shutil.which("longtake"):
        return "longtake"
    path = Path(sys.argv[0]).absolute()
    if path.name == "__main__.py":
        return f"{sys.executable} -m longtake"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _title(number: str, words: str) -> None:
    err.print()
    err.rule(f"{number}. {words}", align="left")


def _end_well_on_signals() -> None:
    """Ctrl-C and SIGTERM unwind, so that nothing is left running."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    signals = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        say("stopping the services")
        for number in signals:
            loop.add_signal_handler(number, lambda: None)  # once is enough: they need a moment
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, end)
