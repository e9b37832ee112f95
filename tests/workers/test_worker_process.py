"""`python -m workers`: what it says, how it ends, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import Worker

from longtake import service
from longtake.fleet import DESCRIBE, LiveWorker, ask_worker, live_workers
from longtake.queues import Role, task_queue
from media.children.sandbox import WORDS, sandbox
from tests.patience import WAIT_S
from tests.workers.asking import AsksAWorker
from tests.workers.family import eventually

GROUP = "test"
"""Queues of our own on the shared service."""


class Running:
    """A worker process and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@contextmanager
def _worker(command: service.Command, folder: Path, polling: int = 1) -> Iterator[Running]:
    """Start it and wait until so many processes of it poll."""
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.arguments, env=command.environment, stderr=output, cwd=folder
        )
    worker = Running(process, log)
    try:
        eventually(lambda: len(worker.said("polling")) == polling)
        yield worker
    finally:
        process.kill()
        process.wait()


def _command(endpoint: service.Endpoint, *roles: Role) -> service.Command:
    return service.worker_command(endpoint, roles, slots=3, group=GROUP)


async def test_an_idle_worker_stops_at_once_and_is_off_the_list(
    running: service.Endpoint, tmp_path: Path
) -> None:
    client = await service.connect(running)
    queue = task_queue("cpu", GROUP)
    with _worker(_command(running, "cpu"), tmp_path) as worker:
        assert (await ask_worker(client, queue)).slots == 3
        assert (await _listed(client, queue)).pid == worker.process.pid
        started = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - started < 15  # and not the thirty of a drain
        assert await live_workers(client, queue) == []
        assert worker.lines()[-1]["event"] == "stopped"


async def test_a_media_worker_says_how_its_children_are_kept_in(
    running: service.Endpoint, tmp_path: Path
) -> None:
    with _worker(_command(running, "cpu"), tmp_path) as worker:
        eventually(lambda: worker.said("sandbox"))
        (line,) = worker.said("sandbox")
        assert line["children"] == WORDS[sandbox()]


async def _listed(client: Client, queue: str) -> LiveWorker:
    """At once as a rule, with its second beat at the latest."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for worker in await live_workers(client, queue):
                return worker
            await asyncio.sleep(0.05)


async def test_every_line_is_json_and_names_the_job(
    running: service.Endpoint, tmp_path: Path
) -> None:
    client = await service.connect(running)
    with _worker(_command(running, "io"), tmp_path) as worker:
        await _ask_in_a_workflow(client, task_queue("io", GROUP))
        (line,) = worker.said("finished")
        assert line["worker"] == "io"
        assert line["pid"] == worker.process.pid
        assert line["level"] == "info"
        assert (line["job"], line["tenant"]) == ("job-1", "acme")
        assert (line["activity"], line["attempt"]) == (DESCRIBE, 1)
        assert all({"timestamp", "level", "event"} <= set(line) for line in worker.lines())


async def _ask_in_a_workflow(client: Client, queue: str) -> None:
    async with Worker(client, task_queue="asks", workflows=[AsksAWorker]):
        await client.execute_workflow(
            AsksAWorker.run,
            queue,
            id="job-1",
            task_queue="asks",
            priority=Priority(fairness_key="acme"),
        )


async def test_control_with_others_is_two_processes_that_end_together(
    running: service.Endpoint, tmp_path: Path
) -> None:
    client = await service.connect(running)
    with _worker(_command(running, "speech", "control"), tmp_path, polling=2) as worker:
        children = worker.children()
        assert len(children) == 2
        pids = {(await ask_worker(client, task_queue(role, GROUP))).pid for role in MIXED}
        assert pids == {child.pid for child in children}
        assert worker.stop() == 0
        assert not any(child.is_running() for child in children)


MIXED: tuple[Role, ...] = ("control", "speech")


@pytest.mark.kill
def test_a_killed_supervisor_leaves_no_worker(running: service.Endpoint, tmp_path: Path) -> None:
    with _worker(_command(running, *MIXED), tmp_path, polling=2) as worker:
        children = worker.children()
        worker.process.kill()
        worker.process.wait()
        eventually(lambda: not any(child.is_running() for child in children))


def test_a_worker_whose_parent_has_changed_drains(
    running: service.Endpoint, tmp_path: Path
) -> None:
    """The way without a parent-death signal: it looks who its parent is."""
    command = _command(running, "io")
    arguments = [*command.arguments, "--parent", "1" if os.getpid() != 1 else "2"]
    done = _run(service.Command(arguments, command.environment), tmp_path)
    assert done.returncode == 0
    assert "the supervisor is gone" in done.stderr


def test_a_gpu_worker_without_a_gpu_refuses_and_says_why(
    running: service.Endpoint, tmp_path: Path
) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    done = _run(_command(running, "gpu"), tmp_path)
    assert done.returncode == 1
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["error"] == "CapabilityMissing"
    assert line["event"].startswith(
        "this machine cannot run the gpu role: h264_nvenc failed to encode a frame. "
        "FFmpeg's last words: "
    )
    assert "libcuda" in line["event"]
    assert "nvidia-smi" in line["event"]


def test_without_an_address_it_says_what_to_set(running: service.Endpoint, tmp_path: Path) -> None:
    command = _command(running, "io")
    arguments = command.arguments[: command.arguments.index("--address")]
    done = _run(service.Command(arguments, command.environment), tmp_path)
    assert done.returncode == 3
    assert "TEMPORAL_ADDRESS" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--role", "gpus"], "invalid choice"),
        (["--role", "cpu", "--slots", "0"], "not a number from 1 up"),
        (["--role", "cpu", "--group", "Große"], "small letters"),
    ],
)
def test_a_wrong_command_line_is_explained(
    running: service.Endpoint, tmp_path: Path, arguments: Sequence[str], words: str
) -> None:
    command = _command(running, "io")
    start = command.arguments.index("--role")
    wrong = [*command.arguments[:start], *arguments]
    done = _run(service.Command(wrong, command.environment), tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


async def test_a_users_own_package_called_workers_is_not_run(
    running: service.Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text("raise SystemExit('the user\\'s own')")
    with _worker(_command(running, "io"), tmp_path) as worker:
        assert worker.stop() == 0


def _run(command: service.Command, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.arguments,
        env=command.environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
