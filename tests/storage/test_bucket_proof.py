"""What cannot be a work store is refused in words, before anything relies on it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longtake.cli import checks
from longtake.errors import CapabilityMissing
from longtake.settings import Home
from storage.bucket_proof import prove
from tests.patience import WAIT_S
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.test_s3_outputs import COMPLETE, now_and_then


def test_a_bucket_is_proved_and_nothing_is_left(box: Bucket, proxy: FaultyProxy) -> None:
    assert proxy.url in prove(f"s3://{box.name}/store/")
    assert box.names() == box.open_uploads() == []


@pytest.mark.parametrize("fault", ["503", "reset", "swallow"])
def test_a_bucket_is_proved_through_a_bad_network(
    box: Bucket, proxy: FaultyProxy, fault: Fault
) -> None:
    turns = itertools.count()
    proxy.faults = lambda *_: fault if next(turns) % 3 == 0 else None
    prove(f"s3://{box.name}")
    assert box.names() == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [(("PUT", "trials"), "If-None-Match"), (COMPLETE, "an upload in parts")],
    ids=["put", "complete"],
)
def test_an_endpoint_that_ignores_conditions_is_refused(
    box: Bucket, proxy: FaultyProxy, request_: tuple[str, str], words: str
) -> None:
    proxy.faults = now_and_then("unconditional", request_, every=1)
    with pytest.raises(CapabilityMissing, match=words):
        prove(f"s3://{box.name}/store")
    assert box.names() == []


def test_an_endpoint_that_ignores_only_if_match_is_refused(box: Bucket, proxy: FaultyProxy) -> None:
    puts = itertools.count()
    proxy.faults = lambda m, t: (
        "unconditional" if m == "PUT" and "trials" in t and next(puts) == 2 else None
    )
    with pytest.raises(CapabilityMissing, match="If-Match replaced another version"):
        prove(f"s3://{box.name}/store")


@pytest.mark.parametrize(("fault", "words"), [("501", "NotImplemented"), ("403", "AccessDenied")])
def test_what_may_not_or_cannot_be_written_is_refused(
    box: Bucket, proxy: FaultyProxy, fault: Fault, words: str
) -> None:
    proxy.faults = lambda method, _: fault if method == "PUT" else None
    with pytest.raises(CapabilityMissing, match=words):
        prove(f"s3://{box.name}/store")


def test_a_bucket_that_is_not_there_is_refused(proxy: FaultyProxy) -> None:
    with pytest.raises(CapabilityMissing, match="there is no bucket"):
        prove("s3://no-such-bucket/store")


def test_a_worker_refuses_to_start_on_an_endpoint_without_conditions(
    box: Bucket, proxy: FaultyProxy, tmp_path: Path
) -> None:
    proxy.faults = now_and_then("unconditional", ("PUT", "trials"), every=1)
    environment = {"LONGTAKE_HOME": str(tmp_path), "LONGTAKE_WORK_STORE": f"s3://{box.name}/store"}
    worker = subprocess.run(
        # Before it speaks with Temporal, of which there is none here.
        [sys.executable, "-m", "workers", "--role", "io", "--address", "127.0.0.1:1"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert worker.returncode == 1
    assert "If-None-Match: * replaced what was there" in worker.stderr
    assert "Traceback" not in worker.stderr


def test_doctor_tells_of_the_bucket(
    box: Bucket, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> checks.Check:
        (found,) = checks.work_store(Home.from_environment())
        return found

    monkeypatch.setenv("LONGTAKE_HOME", str(tmp_path))
    monkeypatch.setenv("LONGTAKE_WORK_STORE", f"s3://{box.name}/store")
    assert told().ok
    monkeypatch.setenv("LONGTAKE_WORK_STORE", "s3://no-such-bucket/store")
    assert "there is no bucket" in told().detail
    monkeypatch.setenv("LONGTAKE_WORK_STORE", "ftp://host/store")
    assert not told().ok
    assert "s3://bucket/prefix" in str(told().fix)
