"""A package in a bucket is passed on to the player's page: `longtake play s3://…`."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.patience import WAIT_S
from tests.storage.bucket import Bucket
from tests.storage.faulty import FaultyProxy

SEGMENT = bytes(range(256)) * 1000


@contextmanager
def playing(place: str) -> Iterator[str]:
    """The address of the page; the command must end well."""
    command = (sys.executable, "-m", "longtake", "play", place, "--no-open")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()


def asked(address: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.slow
def test_a_package_in_a_bucket_is_passed_on(box: Bucket, proxy: FaultyProxy) -> None:
    box.put("talk/master.m3u8", b"#EXTM3U\n")
    box.put("talk/h264-00/00001.m4s", SEGMENT)
    box.put("secret", b"secret")
    with playing(f"s3://{box.name}/talk/") as address:
        assert asked(f"{address}package/master.m3u8") == (200, b"#EXTM3U\n")
        segment = f"{address}package/h264-00/00001.m4s"
        assert asked(segment) == (200, SEGMENT)
        assert asked(segment, Range="bytes=100000-199999") == (206, SEGMENT[100_000:200_000])
        assert asked(f"{address}package/h264-00/00002.m4s")[0] == 404
        assert asked(f"{address}package/%2e%2e/secret")[0] == 404
        assert asked(f"{address}about.json")[0] == 200


@pytest.mark.slow
def test_a_prefix_without_a_package_is_told(box: Bucket, proxy: FaultyProxy) -> None:
    command = (sys.executable, "-m", "longtake", "play", f"s3://{box.name}/none", "--no-open")
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 2
    assert "there is no master.m3u8 in" in done.stderr
