"""A real Temporal dev server, and a workflow that stands where Transcode will."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from longtake import Longtake
from longtake.queues import CONTROL_QUEUE, task_queue
from tests.client.stand_in import StandIn, encode_chunk
from tests.dev_server import namespace


@pytest.fixture
async def temporal(temporal_address: str) -> Client:
    return await namespace(temporal_address)


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
