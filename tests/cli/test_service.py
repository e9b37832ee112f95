"""Commands on the embedded service, which are the same for every job."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from longtake.cli import engine
from tests.cli.conftest import Command
from tests.cli.test_transcode import line_with
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow


@pytest.fixture
async def embedded(alone: Command) -> AsyncIterator[Command]:
    yield alone
    await alone("down")


async def test_up_names_its_ui_and_ends_well_on_ctrl_c(embedded: Command) -> None:
    up = await embedded.start("up")
    ui = (await line_with(up.stderr, "UI ")).split()[1]
    assert ui.startswith("http://127.0.0.1:")
    second = await embedded("up")
    assert second.code == 0
    assert ui in second.err
    up.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(up.wait(), WAIT_S) == 0
    assert "does not run" in (await embedded("down")).err


async def test_any_command_starts_the_service_and_down_stops_it(embedded: Command) -> None:
    assert "starting the embedded service" in (await embedded("list")).err
    assert "starting" not in (await embedded("list")).err
    doctor = (await embedded("doctor", "--json")).document
    assert doctor["ok"], doctor
    assert (await embedded("down", "--json")).document == {"was": "running", "killed": False}
    assert (await embedded("down", "--json")).document == {"was": "stopped", "killed": False}


async def test_up_is_for_the_embedded_service(alone: Command) -> None:
    alone.environment["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
    done = await alone("up")
    assert done.code == 2
    assert "TEMPORAL_ADDRESS" in done.err


async def test_a_worker_of_no_known_role_is_a_bad_request(alone: Command) -> None:
    assert (await alone("worker", "--role", "cook")).code == 2
    assert (await alone("worker")).code == 2


async def test_gc_tells_what_it_removed(alone: Command) -> None:
    assert (await alone("gc", "--json")).document == {"removed": 0, "bytes": 0, "uploads": 0}


def test_gc_tells_of_uploads_that_it_aborted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    swept = {"removed": 1, "bytes": 2_000, "uploads": 3}
    monkeypatch.setattr(engine, "ask_engine", lambda *_: swept)
    engine.gc()
    assert "aborted 3 uploads" in capsys.readouterr().err
