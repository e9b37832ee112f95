"""A worker's connection to Temporal."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from datetime import timedelta
from typing import Any

import structlog
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError

from longtake import tracing
from longtake.errors import CapabilityMissing, ServiceUnreachable
from longtake.service import loopback
from workers.failures import PlainFailures
from workers.settings import WorkerSettings
from workers.unfit_input import JobPayloads

log = structlog.get_logger("longtake.worker")

CONVERTER = DataConverter(
    payload_converter_class=JobPayloads, failure_converter_class=PlainFailures
)
BEAT = timedelta(seconds=5)
"""Heartbeats of the worker itself: longtake/fleet.py judges by their age."""
PATIENCE_S = 60.0
"""In a fleet that starts all at once the server may come last."""


async def connect(settings: WorkerSettings) -> Client:
    """Connect and find the namespace. Raises ServiceUnreachable after a minute of trying."""
    options = _options(settings)
    started, complained = time.monotonic(), False
    while True:
        try:
            client = await Client.connect(**options)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=client.namespace)
            )
            return client
        except (RuntimeError, RPCError) as error:
            waited = time.monotonic() - started
            words = f"no answer from Temporal at {options['target_host']}: {error}"
        if waited > PATIENCE_S:
            raise ServiceUnreachable(words)
        if waited > 2.0 and not complained:
            log.warning(f"{words}; trying on for {PATIENCE_S:.0f} s")
            complained = True
        await asyncio.sleep(min(1.0, 0.02 + waited / 4))


def _options(settings: WorkerSettings) -> dict[str, Any]:
    where = (
        loopback(settings.address)
        if settings.address
        else {**ClientConfig.load_client_connect_config()}
    )
    if not where.get("target_host"):
        raise ServiceUnreachable(
            "no Temporal address: set TEMPORAL_ADDRESS (or TEMPORAL_PROFILE), "
            "or give --address HOST:PORT"
        )
    return {
        **where,
        "data_converter": CONVERTER,
        "identity": f"{os.getpid()}@{socket.gethostname()} {settings.name}",
        "interceptors": tracing.interceptors("longtake-worker"),
        "runtime": _runtime(settings.metrics),
    }


def _runtime(metrics: str | None) -> Runtime:
    """Beats every five seconds, and its core's log lines go where ours go."""
    logging_ = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logger=logging.getLogger("temporalio.core"),
            append_target_to_name=False,
            prepend_target_on_message=False,
        ),
    )
    telemetry = TelemetryConfig(
        logging=logging_,
        metrics=_metrics(metrics) if metrics else None,
        attach_service_name=False,
    )
    try:
        return Runtime(telemetry=telemetry, worker_heartbeat_interval=BEAT)
    except (RuntimeError, ValueError) as error:
        raise CapabilityMissing(
            f"metrics cannot be served at LONGTAKE_METRICS={metrics}: {error}. Name a free "
            "host:port of this host, such as 127.0.0.1:9464"
        ) from error


def _metrics(address: str) -> PrometheusConfig:
    from workers.metrics import prometheus  # not loaded where there are none

    return prometheus(address)
