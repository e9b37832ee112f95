"""Hosts that share nothing but a Temporal server and a bucket."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.service import Service
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


def chunks(box: Bucket) -> dict[str, Any]:
    """Finished chunks in the bucket."""
    return objects(box, "chunk-")


def objects(box: Bucket, kind: str) -> dict[str, Any]:
    """What was finished of a kind, each with its only version: none was made twice."""
    found = box.s3.list_object_versions(Bucket=box.name, Prefix=f"{STORE}/objects/")
    versions = [each for each in found.get("Versions", ()) if f"/{kind}" in each["Key"]]
    names = [each["Key"] for each in versions]
    assert len(names) == len(set(names)), f"{kind} was published twice"
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
