"""A Temporal dev server for a test, or a part of one for each of many tests.

A server takes half a second of CPU to start, and more while it settles; a namespace of its own, in
which a test is as alone, a tenth of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from longtake.embedded import server_binary
from longtake.starting import SEARCH_ATTRIBUTES
from tests.patience import WAIT_S
from tests.ports import free_port
from tests.skipped_time import Clock

RETENTION_S = 30 * 86_400
"""Longer than a test skips."""

STARTS = 5
"""The SDK gives a server five seconds, which a busy machine does not always have."""


@contextlib.asynccontextmanager
async def dev_server(
    attributes: Sequence[str] = SEARCH_ATTRIBUTES,
    dynamic_config: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Client]:
    """A client of a server of its own, gone at the end. `options`: as `start_local` takes them."""
    words = ["--log-level", "error"]
    for key, value in (dynamic_config or {}).items():
        words += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    options["dev_server_extra_args"] = words
    async with await _start(attributes, options) as environment:
        yield environment.client


async def _start(attributes: Sequence[str], options: dict[str, Any]) -> WorkflowEnvironment:
    for last in (*(False,) * (STARTS - 1), True):
        try:
            return await WorkflowEnvironment.start_local(
                dev_server_existing_path=str(server_binary()),
                search_attributes=[SearchAttributeKey.for_keyword(name) for name in attributes],
                **options,
            )
        except RuntimeError:
            if last:
                raise
    raise AssertionError("the last start raises")


@contextlib.contextmanager
def temporal_server() -> Iterator[str]:
    """`host:port` of a dev server in memory, which ends with the test."""
    with _served() as (address, _):
        yield address


@contextlib.contextmanager
def skipping_server() -> Iterator[tuple[str, Clock]]:
    """As `temporal_server`, and with a clock that can be put forward.

    What is due by the new time is noticed within a second, not within Temporal's five minutes.
    """
    with _served("--dynamic-config-value", 'history.timerProcessorMaxPollInterval="1s"') as served:
        address, pid = served
        yield address, Clock(pid)


@contextlib.contextmanager
def _served(*options: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    attributes = [
        w for name in SEARCH_ATTRIBUTES for w in ("--search-attribute", f"{name}=Keyword")
    ]
    command = [server_binary(), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    process = subprocess.Popen(
        [*map(str, command), "--port", str(port), *attributes, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "a Temporal server does not answer"
            time.sleep(0.05)


async def _connect(address: str, name: str, options: dict[str, Any]) -> Client:
    """A server that listens may not be healthy yet, and refuses its first calls."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return await Client.connect(address, namespace=name, **options)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def namespace(address: str, **options: Any) -> Client:
    """A client of a new namespace on that server. `options`: as `Client.connect` takes them."""
    client = await _connect(address, f"test-{uuid.uuid4().hex}", options)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace,
            workflow_execution_retention_period=Duration(seconds=RETENTION_S),
        )
    )
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes=dict.fromkeys(SEARCH_ATTRIBUTES, keyword),
        )
    )
    return client
