"""Hosts with caches of their own, and one work store: each reads of a source what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from longtake import InputCorrupt, JobResult, Longtake, Transcode
from media.children.sandbox import holds_reads
from tests.dev_server import dev_server
from tests.media.engine import run
from tests.storage.bucket import CREDENTIALS, bucket, s3_server
from tests.storage.faulty import FaultyProxy, faulty_proxy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not holds_reads(), reason="this system cannot hold the reads of a child"),
]

SECONDS, START, END = 40, 20, 28


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, a keyframe a second: 40 s of about three megabytes each."""
    folder = tmp_path_factory.mktemp("film")
    once, target = folder / "once.mp4", folder / "film.mp4"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=s=480x270:r=25:d={SECONDS // 4}"),
        *("-vf", "noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-g", "25", "-crf", "12", "-pix_fmt", "yuv420p", once),
    )
    run("-stream_loop", "3", "-i", once, "-c", "copy", target)
    return target


@pytest.fixture(scope="module")
def data(film: Path) -> bytes:
    return film.read_bytes()


class Host:
    """A machine with workers, and what it read of the bucket."""

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy

    def read(self, key: str) -> int:
        return sum(asked.gave for asked in self.proxy.of("GET", key))


class Hosts:
    """The fleet: a Temporal server, a work store, and hosts."""

    def __init__(self, temporal: Client, server: str, folder: Path) -> None:
        self.temporal = temporal
        self.work = folder / "work"
        self._server, self._folder = server, folder

    @contextlib.contextmanager
    def host(self, name: str, *roles: str) -> Iterator[Host]:
        words = [word for role in roles for word in ("--role", role)]
        with faulty_proxy(self._server) as proxy, (self._folder / f"{name}.log").open("wb") as log:
            environment = os.environ | CREDENTIALS
            environment |= {
                "TEMPORAL_ADDRESS": self.temporal.service_client.config.target_host,
                "LONGTAKE_HOME": str(self._folder / name),
                "LONGTAKE_WORK_STORE": str(self.work),
                "LONGTAKE_DRAIN_GRACE": "1",
                "AWS_ENDPOINT_URL_S3": proxy.url,
            }
            command = [sys.executable, "-m", "longtake", "worker", *words]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                yield Host(proxy)
            finally:
                process.terminate()
                process.wait()

    async def transcode(self, source: str, output: str) -> JobResult:
        asked: dict[str, Any] = {
            "input": source,
            "output": output,
            "video": {"codec": "h264", "speed": "ultrafast", "crf": 30},
            "audio": {"codec": "none"},
            "start": START,
            "end": END,
            "chunk_s": 2,
        }
        return await Longtake(self.temporal).run(Transcode.model_validate(asked))


@pytest.fixture
async def hosts(server: str, tmp_path: Path) -> AsyncIterator[Hosts]:
    async with dev_server() as client:
        yield Hosts(client, server, tmp_path)


async def test_a_host_that_encodes_some_chunks_reads_about_their_bytes(
    hosts: Hosts, server: str, film: Path, data: bytes
) -> None:
    box, size = bucket(server, "hosts"), len(data)
    source = box.put("film.mp4", data)
    with hosts.host("first", "control", "io") as first, hosts.host("second", "cpu") as second:
        result = await hosts.transcode(source, "s3://hosts/out.mp4")
        assert result.stats.chunks == 4
        assert first.read("film.mp4") <= 1.1 * size
        assert second.read("film.mp4") / size <= (END - START) / SECONDS + 0.1
        await asyncio.to_thread(shutil.rmtree, hosts.work / "objects")
        local = await hosts.transcode(str(film), str(hosts.work.parent / "local.mp4"))
    assert local.stats.chunks_reused == 0
    assert local.outputs[0].sha256 == result.outputs[0].sha256 == box.sha256("out.mp4")


async def test_a_source_replaced_under_its_chunks_fails_with_words(
    hosts: Hosts, server: str, data: bytes
) -> None:
    box = bucket(server, "replaced")
    source = box.put("film.mp4", data)
    replaced: list[str] = []
    with hosts.host("first", "control", "io"), hosts.host("second", "cpu") as second:

        def replace(method: str, target: str) -> None:
            # The first range of the second host comes yet; those behind it are of another film.
            if method == "GET" and "film.mp4" in target and not replaced:
                replaced.append(box.put("film.mp4", b"another film" * 2_000_000))

        second.proxy.faults = replace
        with pytest.raises(InputCorrupt, match="changed while the job ran"):
            await hosts.transcode(source, "s3://replaced/out.mp4")
    assert replaced
    assert box.names() == ["film.mp4"]
