"""A supervisor's programs: restarted, drained, given up, never orphaned."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.patience import WAIT_S
from tests.workers.family import eventually
from workers.supervisor import CRASHES, Kept, Program, stop_in_order

READY = "import os, sys, time; os.write(int(sys.argv[1]), b'ready\\n'); "
WAIT = READY + "time.sleep(60)"
CRASH = READY + "os.kill(os.getpid(), 9)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAIT
REFUSE = "raise SystemExit(3)"
IN_TURN = "open(sys.argv[2], 'a').write('+'); " + WAIT


def _program(code: str, *more: str, patience_s: float = 5.0) -> Program:
    def command(ready: int) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", code, str(ready), *more]

    return Program("example", command, patience_s)


@asynccontextmanager
async def _keeping(program: Program) -> AsyncIterator[tuple[Kept, asyncio.Future[None]]]:
    kept = Kept(program)
    keeping = asyncio.ensure_future(kept.keep())
    try:
        yield kept, keeping
    finally:
        kept.kill()
        await keeping


async def _ready(kept: Kept) -> int:
    await asyncio.wait_for(kept.ready.wait(), WAIT_S)
    assert kept.pid is not None
    return kept.pid


async def test_it_says_when_it_is_ready_and_stops_in_order() -> None:
    async with _keeping(_program(WAIT)) as (kept, keeping):
        pid = await _ready(kept)
        assert kept.state == "running"
        await asyncio.wait_for(stop_in_order([(kept, keeping)]), WAIT_S)
        assert (kept.state, kept.pid, kept.problem) == ("stopped", None, None)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.kill
async def test_a_killed_program_is_started_again() -> None:
    async with _keeping(_program(WAIT)) as (kept, _):
        first = await _ready(kept)
        kept.ready.clear()
        os.kill(first, signal.SIGKILL)
        assert await _ready(kept) != first
        assert kept.restarts == 1


@pytest.mark.kill
async def test_a_program_that_crashes_all_the_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Kept, "_pause", lambda self: asyncio.sleep(0))
    async with _keeping(_program(CRASH)) as (kept, keeping):
        await asyncio.wait_for(keeping, WAIT_S)
        assert kept.state == "given up"
        assert kept.restarts == CRASHES - 1
        assert kept.problem == "it crashed 5 times within 60 s, last: killed by SIGKILL"


async def test_a_program_that_refuses_to_start_is_not_tried_again() -> None:
    async with _keeping(_program(REFUSE)) as (kept, keeping):
        await asyncio.wait_for(keeping, WAIT_S)
        assert kept.restarts == 0
        assert kept.problem == "it refused to start (exit code 3); its log says why"


@pytest.mark.kill
async def test_one_that_does_not_hear_is_killed_when_patience_ends() -> None:
    async with _keeping(_program(DEAF, patience_s=0.2)) as (kept, keeping):
        await _ready(kept)
        kept.stop()
        await asyncio.wait_for(keeping, WAIT_S)
        assert kept.state == "stopped"


SUPERVISOR = """
import asyncio, sys
from tests.workers.test_supervisor import WAIT, _program
from workers import telemetry
from workers.supervisor import Kept

async def main():
    kept = Kept(_program(WAIT))
    keeping = asyncio.ensure_future(kept.keep())
    await kept.ready.wait()
    print(kept.pid, flush=True)
    await keeping

telemetry.configure("supervisor")
asyncio.run(main())
"""


@pytest.mark.kill
@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal")
def test_a_child_dies_with_a_killed_supervisor() -> None:
    command = [sys.executable, "-c", SUPERVISOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        try:
            assert supervisor.stdout is not None
            child = psutil.Process(int(supervisor.stdout.readline()))
        finally:
            supervisor.kill()
    eventually(lambda: not child.is_running())
