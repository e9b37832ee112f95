"""A Temporal dev server for a test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from longtake.embedded import server_binary
from longtake.starting import SEARCH_ATTRIBUTES

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
