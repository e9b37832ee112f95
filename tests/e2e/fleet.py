"""Hosts that share nothing but a Temporal server and a bucket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from longtake.embedded import server_binary
from longtake.starting import SEARCH_ATTRIBUTES
from tests.e2e.service import Service, until
from tests.storage.bucket import CREDENTIALS, Bucket
from tests.storage.faulty import FaultyProxy

STORE = "store"


class Host(Service):
    """A machine with a home of its own, whose work store is the bucket."""

    def __init__(self, folder: Path, temporal: str, box: Bucket, proxy: FaultyProxy) -> None:
        super().__init__(
            folder,
            **CREDENTIALS,
            TEMPORAL_ADDRESS=temporal,
            LONGTAKE_WORK_STORE=f"s3://{box.name}/{STORE}",
            LONGTAKE_DRAIN_GRACE="2",
            AWS_ENDPOINT_URL_S3=proxy.url,
            NO_PROXY="127.0.0.1",
        )

    def work(self, *roles: str) -> psutil.Process:
        """Start a worker of these roles, one encoder at a time."""
        words = [word for role in roles for word in ("--role", role)]
        return psutil.Process(self.start("worker", *words, "--slots", "1").pid)


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@contextlib.contextmanager
def temporal_server() -> Iterator[str]:
    """`host:port` of a dev server in memory, which ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    attributes = [
        w for name in SEARCH_ATTRIBUTES for w in ("--search-attribute", f"{name}=Keyword")
    ]
    command = [server_binary(), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    process = subprocess.Popen(
        [*map(str, command), "--port", str(port), *attributes],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port), 60, "a Temporal server")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def chunks(box: Bucket) -> dict[str, Any]:
    """Finished chunks in the bucket, each with its only version: none was made twice."""
    found = box.s3.list_object_versions(Bucket=box.name, Prefix=f"{STORE}/objects/")
    versions = [each for each in found.get("Versions", ()) if "/chunk-" in each["Key"]]
    names = [each["Key"] for each in versions]
    assert len(names) == len(set(names)), "a chunk was published twice"
    return {each["Key"]: each["VersionId"] for each in versions}


def forget_work(box: Bucket) -> None:
    """Empty the work store, terms too, so that the next job does everything."""
    found = box.s3.list_object_versions(Bucket=box.name, Prefix=f"{STORE}/")
    for each in found.get("Versions", ()):
        box.s3.delete_object(Bucket=box.name, Key=each["Key"], VersionId=each["VersionId"])


def freeze(process: psutil.Process) -> list[psutil.Process]:
    """Stop a worker at once, and then its children; what was stopped."""
    os.kill(process.pid, signal.SIGSTOP)
    children = process.children(recursive=True)
    signal_all(children, signal.SIGSTOP)
    return [process, *children]
