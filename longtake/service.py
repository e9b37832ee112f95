"""Reach Temporal: the cluster that the environment names, or else the embedded service.

    client = await connect()

Without an address in the environment (or in a Temporal profile), the first command starts the
embedded service as a process of its own and every later one joins it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression

from longtake import tracing
from longtake.daemon import (
    Command,
    Notify,
    Status,
    Stopped,
    application_environment,
    service_command,
    start_or_join,
    status,
    stop,
)
from longtake.embedded import NAMESPACE, ServiceState
from longtake.errors import ServiceUnreachable
from longtake.queues import Role
from longtake.refusals import plain
from longtake.settings import Home

__all__ = [
    "Command",
    "Endpoint",
    "Status",
    "Stopped",
    "configured",
    "connect",
    "resolve",
    "service_command",
    "status",
    "stop",
    "worker_command",
]


@dataclass(frozen=True)
class Endpoint:
    """Where Temporal is."""

    options: dict[str, Any]
    """For `Client.connect`."""
    embedded: bool
    ui: str | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return str(self.options["target_host"])

    @property
    def namespace(self) -> str:
        """The namespace that jobs run in."""
        return str(self.options.get("namespace") or NAMESPACE)


async def connect(endpoint: Endpoint | None = None, notify: Notify | None = None) -> Client:
    """A client of the service, started if need be. Raises ServiceUnreachable."""
    endpoint = endpoint or await resolve(notify)
    try:
        return await Client.connect(
            **endpoint.options,
            data_converter=pydantic_data_converter,
            interceptors=tracing.interceptors("longtake"),
        )
    except RuntimeError as error:
        raise ServiceUnreachable(
            f"Temporal at {endpoint.address} does not answer: {plain(str(error))}. "
            "`longtake doctor` says more"
        ) from error


async def resolve(notify: Notify | None = None) -> Endpoint:
    """Find the service; start the embedded one if none is named and none runs.

    `notify` is told what takes time. Raises ServiceUnreachable.
    """
    return configured() or _endpoint(await start_or_join(Home.from_environment(), notify))


def configured() -> Endpoint | None:
    """The cluster that the environment or a Temporal profile names; None means embedded.

    Raises ServiceUnreachable if what they say makes no sense.
    """
    try:
        options = dict(ClientConfig.load_client_connect_config())
    except (RuntimeError, OSError, ValueError) as error:
        raise ServiceUnreachable(f"Temporal's configuration cannot be used: {error}") from error
    if options.get("target_host"):
        return Endpoint(options, embedded=False)
    if profile := os.environ.get("TEMPORAL_PROFILE"):
        raise ServiceUnreachable(f"the Temporal profile {profile!r} has no address")
    return None


def _endpoint(service: ServiceState) -> Endpoint:
    return Endpoint(loopback(service.address), embedded=True, ui=service.ui)


def loopback(address: str) -> dict[str, Any]:
    """Options of a connection to the embedded service, uncompressed: a tenth of what its server
    takes for a burst of jobs went into that."""
    return {
        "target_host": address,
        "namespace": NAMESPACE,
        "grpc_compression": GrpcCompression.NONE,
    }


def worker_command(
    endpoint: Endpoint,
    roles: Sequence[Role],
    slots: int | None = None,
    group: str | None = None,
) -> Command:
    """The process that is a worker of these roles at this endpoint.

    Become it (`os.execve`) and signals reach it: the first one drains, the second ends.
    """
    arguments = [sys.executable, "-P", "-m", "workers"]
    arguments += [word for role in roles for word in ("--role", role)]
    arguments += ["--slots", str(slots)] if slots is not None else []
    arguments += ["--group", group] if group is not None else []
    # A cluster's address, keys and certificates stay in the environment, where ps shows none.
    arguments += ["--address", endpoint.address] if endpoint.embedded else []
    return Command(arguments, application_environment(Home.from_environment()))
