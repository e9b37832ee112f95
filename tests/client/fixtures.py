"""A real Temporal dev server, and a workflow that stands where Transcode will."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from longtake import Longtake
from longtake.embedded import server_binary
from longtake.queues import CONTROL_QUEUE, task_queue
from longtake.starting import SEARCH_ATTRIBUTES
from tests.client.stand_in import StandIn, encode_chunk


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    binary = server_binary()
    assert binary is not None
    keys = [SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES]
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(binary), search_attributes=keys
    ) as environment:
        yield environment.client


@pytest.fixture
async def control(temporal: Client) -> AsyncIterator[None]:
    async with Worker(temporal, task_queue=CONTROL_QUEUE, workflows=[StandIn]):
        yield


@pytest.fixture
async def cpu(temporal: Client) -> AsyncIterator[None]:
    async with Worker(temporal, task_queue=task_queue("cpu"), activities=[encode_chunk]):
        yield


@pytest.fixture
def longtake(temporal: Client) -> Longtake:
    return Longtake(temporal)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "talk.mov"
    path.write_bytes(b"moving pictures")
    return path
