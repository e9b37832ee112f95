"""Metrics and traces: refused in words when they cannot be, and not there when not asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.patience import WAIT_S
from workers.mixed import split
from workers.settings import WorkerSettings


def _worker(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workers", "--role", "cpu", "--address", "127.0.0.1:1"]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=WAIT_S
    )


def test_a_port_that_is_taken_is_refused_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _worker(LONGTAKE_METRICS=address)
    assert done.returncode == 1
    assert f"LONGTAKE_METRICS={address}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["9464", "127.0.0.1:", "127.0.0.1:http"])
def test_an_address_without_sense_is_refused_in_words(address: str) -> None:
    done = _worker(LONGTAKE_METRICS=address)
    assert done.returncode == 1
    assert f"LONGTAKE_METRICS={address} is not host:port" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_processes_of_one_command_have_two_ports() -> None:
    both = WorkerSettings(("control", "io", "cpu"), 2, metrics="127.0.0.1:9464")
    assert [part.metrics for part in split(both)] == ["127.0.0.1:9464", "127.0.0.1:9465"]


_LOADED = "import workers.process, workers.polling, longtake.service, sys; print(*sys.modules)"


def test_nothing_is_loaded_while_nobody_asks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "workers.process" in loaded
    assert not {"opentelemetry", "longtake.spans", "workers.metrics", "workers.traces"} & loaded


_ENDS = """
from longtake import spans, tracing
from longtake.cli.leaving import leave
assert tracing.on()
spans.tracer("test").start_span("one").end()
leave(0)
"""


def test_a_collector_that_does_not_answer_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-c", _ENDS]
        done = subprocess.run(command, env=os.environ | environment, timeout=60)
        silent.settimeout(10)
        silent.accept()[0].close()  # it was called
    assert done.returncode == 0


def test_traces_can_be_switched_off_by_the_standard_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from longtake import tracing

    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert tracing.collector() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert tracing.collector() == "http://collector:4318"
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing.collector() is None
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert tracing.collector() is None
