"""While a step waits for another try, the service says why, in the step's own words."""

from __future__ import annotations

import asyncio

import pytest
from temporalio import activity
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.running import translate
from longtake import service
from longtake.fleet import DESCRIBE
from storage import http as links
from tests.patience import WAIT_S
from tests.workers.asking import AsksAWorker
from workers.connection import CONVERTER
from workers.failures import MOST_BYTES

NOBODY = "http://127.0.0.1:1/film.mov"


@activity.defn(name=DESCRIBE)
async def reads_a_link() -> None:
    """Fails as a step does: behind it stand HTTPX, its transport and the system."""
    try:
        await asyncio.to_thread(links.look, NOBODY)
    except Exception as error:
        raise translate(error, activity.info().attempt) from error


async def test_what_a_step_waits_for_is_told_whatever_lies_behind_it(
    running: service.Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_HTTP_ALLOW", "127.0.0.1:1")
    monkeypatch.setattr(links, "TRIES", 1)
    plain = await service.connect(running)
    config = plain.config()
    config["data_converter"] = CONVERTER
    client = Client(**config)
    worker = Worker(client, task_queue="waits", workflows=[AsksAWorker], activities=[reads_a_link])
    async with worker, asyncio.timeout(WAIT_S):
        handle = await client.start_workflow(
            AsksAWorker.run, "waits", id="waits-1", task_queue="waits"
        )
        failure = await first_failure(client, handle.id)
        await handle.terminate()
    assert failure.message.startswith(f"{NOBODY}: the connection failed")
    assert failure.application_failure_info.type == "StorageUnavailable"


async def first_failure(client: Client, job_id: str) -> Failure:
    """What is told of a job's step once it has failed."""
    while True:
        found = await client.get_workflow_handle(job_id).describe()
        for pending in found.raw_description.pending_activities:
            if pending.last_failure.message:
                return pending.last_failure
        await asyncio.sleep(0.1)


def test_words_without_end_are_cut_between_two_letters() -> None:
    failure = Failure()
    converter = CONVERTER.failure_converter_class()
    converter.to_failure(ApplicationError("ä" * 9_000), CONVERTER.payload_converter, failure)
    assert failure.message == "ä" * (MOST_BYTES // 2)
