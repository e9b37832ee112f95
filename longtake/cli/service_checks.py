"""What can be wrong with the service: whether it is there, and who works for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from longtake import service
from longtake.cli.checks import Check, environment_words
from longtake.errors import LongtakeError
from longtake.fleet import live_workers
from longtake.queues import ROLES, Role, task_queue
from longtake.starting import SEARCH_ATTRIBUTES, registering
from longtake.waiting import SETTLING

NEEDED: tuple[Role, ...] = ("control", "io", "cpu")
"""Without these roles no job is done; the others serve jobs that ask for them."""

_SKEW_S = 2.0
_WITHIN = timedelta(seconds=5)


async def service_checks() -> AsyncIterator[Check]:
    """Where jobs go from here, and what is wrong there."""
    try:
        cluster = service.configured()
    except LongtakeError as error:
        yield Check("environment", False, error.message, "correct it, or unset TEMPORAL_*")
        return
    yield Check("environment", True, environment_words())
    if cluster is None:
        embedded = _embedded()
        yield embedded
        if service.status().service is None:
            return
    try:
        endpoint = cluster or await service.resolve()
        client = await service.connect(endpoint)
    except LongtakeError as error:
        fix = "start it, or correct the address" if cluster else "`longtake down`, then try again"
        yield Check("temporal", False, error.message, fix)
        return
    yield await _temporal(client, endpoint)
    yield await _search_attributes(client)
    await _first_beats(client)
    for role in ROLES:
        yield await _workers(client, role)


def _embedded() -> Check:
    status = service.status()
    if status.service is None:
        words = {
            "starting": "is starting",
            "stopped": "does not run; the first job starts it",
            "left over": "was killed, and its server was left over",
        }
        fix = "longtake down" if status.state == "left over" else None
        return Check("service", fix is None, f"the embedded service {words[status.state]}", fix)
    problems = status.service.problems()
    if problems:
        return Check("service", False, "; ".join(problems), "longtake down")
    versions = ", ".join(f"{name} {version}" for name, version in status.service.versions.items())
    return Check("service", True, f"embedded, pid {status.service.pid}, {versions}")


async def _temporal(client: Client, endpoint: service.Endpoint) -> Check:
    where = f"{endpoint.address}, namespace {client.namespace}"
    where += f", UI {endpoint.ui}" if endpoint.ui else ""
    try:
        answer = await client.workflow_service.get_system_info(
            GetSystemInfoRequest(), timeout=_WITHIN
        )
        await client.count_workflows("TaskQueue = 'longtake'", rpc_timeout=_WITHIN)
    except RPCError as error:
        fix = "check the namespace, and what this key or certificate may do"
        return Check("temporal", False, f"{where}: {error.message}", fix)
    return Check("temporal", True, f"{where}, server {answer.server_version}")


async def _search_attributes(client: Client) -> Check:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request, timeout=_WITHIN)
    except RPCError as error:
        return Check("search attributes", True, f"cannot be asked for: {error.message}")
    missing = [name for name in SEARCH_ATTRIBUTES if name not in answer.custom_attributes]
    if missing:
        return Check("search attributes", False, f"missing: {', '.join(missing)}", registering())
    return Check("search attributes", True, "registered")


async def _first_beats(client: Client) -> None:
    """Workers that have just started are not known before they have beaten once."""
    known_by = monotonic() + SETTLING.total_seconds()
    try:
        while monotonic() < known_by:
            alive = [await live_workers(client, task_queue(role)) for role in NEEDED]
            if all(alive):
                return
            await asyncio.sleep(0.3)
    except RPCError:
        return  # told for each role


async def _workers(client: Client, role: Role) -> Check:
    name = f"{role} workers"
    try:
        alive = await live_workers(client, task_queue(role))
    except RPCError as error:
        return Check(name, True, f"cannot be asked for: {error.message}")
    if not alive:
        fix = f"longtake worker --role {role}" if role in NEEDED else None
        return Check(name, fix is None, "none", fix)
    if any(worker.heartbeat_age_s < -_SKEW_S for worker in alive):
        return Check(name, False, "their clock is ahead of this one", "set the clocks by NTP")
    hosts = ", ".join(sorted({worker.host or worker.identity for worker in alive}))
    return Check(name, True, f"{len(alive)} on {hosts}")
