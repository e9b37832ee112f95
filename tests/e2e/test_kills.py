"""A job cannot be lost: processes are killed, frozen and asked to leave while it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import Film
from tests.e2e.service import Service, until
from tests.patience import WAIT_S

pytestmark = [pytest.mark.kill, pytest.mark.slow]


def begin(service: Service, film: Film, name: str) -> tuple[str, Path]:
    """Start a job with nothing done before, and wait until it is well under way."""
    service.forget_work()
    output = service.out / f"{name}.mp4"
    command = ("transcode", film.path, "-o", output, *film.options, "--id", name, "--no-wait")
    done = service.run(*command)
    assert done.returncode == 0, done.stderr
    until(lambda: len(service.chunks()) >= 2 and service.encoders(), 60, "two chunks done")
    return name, output


def finish(service: Service, film: Film, name: str, before: dict[str, int]) -> Any:
    """The job's result: the same bytes, and no chunk that was finished was made again."""
    result = service.json("watch", name)
    assert result["state"] == "succeeded"
    assert result["outputs"][0]["sha256"] == film.sha256
    after = service.chunks()
    assert before.items() <= after.items(), "a finished chunk was made again"
    assert len(after) == film.chunks
    assert not list(service.out.glob(".*.part"))
    until(lambda: not service.encoders(), 10, "no encoder left")
    return result


def test_killed_encoder_resumes_without_repeating_finished_chunks(
    service: Service, film: Film
) -> None:
    name, _ = begin(service, film, "encoder")
    before = service.chunks()
    service.encoders()[0].kill()
    result = finish(service, film, name, before)
    assert result["stats"]["retries"] >= 1


def test_killed_worker_resumes_without_repeating_finished_chunks(
    service: Service, film: Film
) -> None:
    name, _ = begin(service, film, "worker")
    before, encoders = service.chunks(), service.encoders()
    service.worker().kill()
    _gone, alive = psutil.wait_procs(encoders, timeout=WAIT_S)
    assert not alive, "an encoder outlived its worker"
    finish(service, film, name, before)


def test_after_kill_of_everything_the_same_command_goes_on(service: Service, film: Film) -> None:
    name, output = begin(service, film, "everything")
    before = service.chunks()
    for process in service.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # it died with its parent
            process.kill()
    until(lambda: not service.processes() and not service.encoders(), 5, "all dead")
    command = ("transcode", film.path, "-o", output, *film.options, "--id", name)
    again = service.json(*command)
    assert again["outputs"][0]["sha256"] == film.sha256
    finish(service, film, name, before)


def test_killed_server_is_back_and_the_job_goes_on(service: Service, film: Film) -> None:
    name, _ = begin(service, film, "server")
    before = service.chunks()
    server = next(p for p in service.processes() if "start-dev" in p.cmdline())
    server.kill()
    finish(service, film, name, before)


def test_frozen_encoder_is_noticed_and_replaced(service: Service, film: Film) -> None:
    name, _ = begin(service, film, "frozen")
    before = service.chunks()
    frozen = service.encoders()[0]
    frozen.suspend()
    started = time.monotonic()
    result = finish(service, film, name, before)
    assert time.monotonic() - started < 120
    assert result["stats"]["retries"] >= 1
    assert not frozen.is_running()


def test_frozen_worker_that_comes_back_publishes_nothing(service: Service, film: Film) -> None:
    name, output = begin(service, film, "returning")
    before = service.chunks()
    worker = service.worker()
    service.start("worker", "--role", "io", "--role", "cpu", "--slots", "2")
    frozen = [worker, *worker.children(recursive=True)]
    for process in frozen:
        process.suspend()
    finish_other = service.run("watch", name, timeout=WAIT_S)
    assert finish_other.returncode == 0, finish_other.stderr
    published = output.stat()
    chunks = service.chunks()
    for process in frozen:
        with contextlib.suppress(psutil.NoSuchProcess):  # the worker, back already, ended it
            process.resume()
    until(lambda: not service.encoders(), 10, "the returned worker's encoder ended")
    worker.terminate()  # what it has begun it ends first
    _gone, alive = psutil.wait_procs([worker], timeout=WAIT_S)
    assert not alive
    now = output.stat()
    assert (now.st_ino, now.st_mtime_ns) == (published.st_ino, published.st_mtime_ns)
    assert service.chunks() == chunks
    finish(service, film, name, before)
    os.killpg(service.started[-1].pid, signal.SIGTERM)
    assert service.started[-1].wait(timeout=WAIT_S) == 0


def test_worker_that_is_told_to_stop_hands_its_chunks_back(service: Service, film: Film) -> None:
    name, _ = begin(service, film, "leaving")
    before, worker = service.chunks(), service.worker()
    family = worker.children(recursive=True)
    worker.terminate()
    _gone, alive = psutil.wait_procs([worker, *family], timeout=WAIT_S)
    assert not alive, f"left behind: {alive}"
    finish(service, film, name, before)


def test_a_step_that_kills_its_process_thrice_is_poisoned_and_can_be_retried(
    service: Service, film: Film
) -> None:
    name, output = begin(service, film, "poison")
    line = until(service.encoders, 60, "an encoder to kill")[-1].cmdline()
    target = next(word for word in line if "_pts=" in word)

    def same() -> list[psutil.Process]:
        return [p for p in service.encoders() if target in p.cmdline()]

    for _ in range(3):
        victim = until(same, 60, "the same chunk again")[0]
        victim.kill()
        victim.wait(timeout=WAIT_S)
    failed = service.run("watch", name)
    assert failed.returncode == 1
    assert "Poisoned" in failed.stderr
    assert "retry" in failed.stderr
    assert not output.exists()
    before = service.chunks()
    again = service.run("retry", name)
    assert again.returncode == 0, again.stderr
    result = finish(service, film, name, before)
    assert result["stats"]["chunks_reused"] >= 2
