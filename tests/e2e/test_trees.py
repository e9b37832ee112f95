"""The step that publishes a package, on a real service: killed, cancelled, two jobs at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from longtake.contracts.preview import Preview
from longtake.contracts.result import JobResult
from longtake.queues import CONTROL_QUEUE
from storage.cache import FingerprintCache
from storage.folder_store import FolderStore
from storage.local import LocalStorage
from storage.tree import pack
from storage.trees import SIDE_BY_SIDE
from tests.dev_server import dev_server
from tests.e2e.publishes import PublishesATree
from tests.e2e.service import Service, until
from tests.patience import WAIT_S
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server
from tests.storage.faulty import FaultyProxy, faulty_proxy
from tests.storage.trees import Files, package
from workers.connection import CONVERTER

pytestmark = [pytest.mark.slow, pytest.mark.kill]

RED, BLUE = package("red", 60), package("blue", 60)


@dataclass
class House:
    """A bucket behind a slow network, workers for `io`, and jobs that publish there."""

    client: Client
    service: Service
    box: Bucket
    proxy: FaultyProxy

    def work(self) -> psutil.Process:
        """Start a worker."""
        return psutil.Process(self.service.start("worker", "--role", "io").pid)

    async def start(
        self, job_id: str, files: Files, *, overwrite: bool = False
    ) -> WorkflowHandle[Any, JobResult]:
        """Start a job that publishes a package into the bucket `films`."""
        folder, tar = self.service.out / job_id, self.service.out / f"{job_id}.tar"
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        pack(folder, tar)
        store = FolderStore(self.service.home / "work")
        await store.put(f"tree-{job_id}", tar.read_bytes())
        source = self.service.out / "film.mov"
        source.write_bytes(b"a film")
        os.utime(source, (1, 1))
        pinned = await LocalStorage(FingerprintCache(self.service.out)).fingerprint(str(source))
        job = Preview(input=str(source), output="s3://films/out", overwrite=overwrite)
        return await self.client.start_workflow(
            PublishesATree.run,
            args=[job, f"tree-{job_id}", pinned],
            id=job_id,
            task_queue=CONTROL_QUEUE,
        )

    def files(self) -> Files:
        names = [name for name in self.box.names() if name.startswith("out/")]
        return {name.removeprefix("out/"): self.box.get(name) for name in names}

    async def some(self, count: int) -> None:
        """Wait until so many files are there."""
        await asyncio.to_thread(until, lambda: len(self.box.names()) >= count, 60, "some files")

    def is_settled(self) -> bool:
        return not list((self.service.home / "work" / "claims").glob("*.json"))


@pytest.fixture
def films() -> Iterator[tuple[Bucket, FaultyProxy]]:
    with s3_server() as address, faulty_proxy(address) as proxy:
        proxy.faults = lambda *_: time.sleep(0.03)
        yield bucket(address, "films"), proxy


@pytest_asyncio.fixture
async def house(tmp_path: Path, films: tuple[Bucket, FaultyProxy]) -> AsyncIterator[House]:
    box, proxy = films
    async with dev_server(data_converter=CONVERTER) as client:
        service = Service(
            tmp_path,
            **CREDENTIALS,
            TEMPORAL_ADDRESS=client.service_client.config.target_host,
            AWS_ENDPOINT_URL_S3=proxy.url,
            LONGTAKE_DRAIN_GRACE="2",
            NO_PROXY="127.0.0.1",
        )
        try:
            async with Worker(client, task_queue=CONTROL_QUEUE, workflows=[PublishesATree]):
                yield House(client, service, box, proxy)
        finally:
            await asyncio.to_thread(service.stop)


async def failure(handle: WorkflowHandle[Any, JobResult]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), WAIT_S)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def test_another_worker_goes_on_where_one_was_killed(house: House) -> None:
    doomed = house.work()
    job = await house.start("killed", RED)
    await house.some(10)
    doomed.send_signal(signal.SIGKILL)
    assert "out/master.m3u8" not in house.box.names()
    house.work()
    result = await asyncio.wait_for(job.result(), WAIT_S)
    assert result.stats.retries == 1
    assert house.files() == RED
    assert house.is_settled()
    again = len(house.proxy.of("PUT", "/films/out/")) - len(RED)
    assert again <= SIDE_BY_SIDE, "only what was on its way comes again"


async def test_a_cancel_in_the_middle_leaves_nothing(house: House) -> None:
    house.work()
    job = await house.start("canceled", RED)
    await house.some(10)
    await job.signal("cancel", "changed my mind")
    assert (await failure(job)).type == "JobCanceled"
    assert house.files() == {}
    assert house.is_settled()


async def test_killed_and_then_cancelled_the_old_package_stays_as_it_was(house: House) -> None:
    house.proxy.faults = lambda *_: None
    doomed = house.work()
    await asyncio.wait_for((await house.start("old", BLUE)).result(), WAIT_S)
    house.proxy.faults = lambda *_: time.sleep(0.03)
    job = await house.start("new", RED, overwrite=True)
    await house.some(len(BLUE) + 10)
    doomed.send_signal(signal.SIGKILL)
    await job.signal("cancel", "changed my mind")
    house.work()
    assert (await failure(job)).type == "JobCanceled"
    assert house.files() == BLUE
    assert house.is_settled()


async def test_a_cancel_that_comes_when_all_is_shown_comes_too_late(house: House) -> None:
    """While what was replaced stays for a while, for the caches."""
    told = threading.Event()
    # Should this test be slower than that while, nothing goes before it has looked.
    house.proxy.faults = lambda method, _: (
        "503" if method == "DELETE" and not told.is_set() else None
    )
    house.work()
    await asyncio.wait_for((await house.start("old", BLUE)).result(), WAIT_S)
    job = await house.start("new", RED, overwrite=True)
    shown = partial(house.box.get, "out/master.m3u8")
    await asyncio.to_thread(until, lambda: shown() == RED["master.m3u8"], 60, "it")
    assert {*house.box.names()} >= {f"out/{name}" for name in BLUE}
    await job.signal("cancel", "changed my mind")
    told.set()
    assert (await asyncio.wait_for(job.result(), WAIT_S)).state == "succeeded"
    assert house.files() == RED
    assert house.is_settled()


async def test_a_second_job_is_told_of_the_first(house: House) -> None:
    house.work()
    first = await house.start("first", RED)
    await house.some(5)
    told = await failure(await house.start("second", BLUE, overwrite=True))
    assert told.type == "OutputConflict"
    assert "first is publishing into s3://films/out" in told.message
    await asyncio.wait_for(first.result(), WAIT_S)
    assert house.files() == RED
    assert house.is_settled()


async def test_a_source_that_changes_meanwhile_keeps_the_manifests_back(house: House) -> None:
    house.work()
    job = await house.start("changed", RED)
    await house.some(10)
    (house.service.out / "film.mov").write_bytes(b"another film")
    told = await failure(job)
    assert told.type == "InputCorrupt"
    assert "changed while the job ran" in told.message
    assert house.files() == {}
    assert house.is_settled()
