"""What an operator relies on in docker-compose.temporal.yml and in the files it mounts."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from longtake.queues import ROLES
from storage.bucket_store import TRIALS
from storage.work import NOTES, OBJECTS
from tests.storage.bucket import bucket, s3_server

ROOT = Path(__file__).parent.parent
ONE_SHOT = {"schema", "namespace"}


def _with_defaults(text: str) -> str:
    """The compose file as it is read with an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(
    _with_defaults((ROOT / "docker-compose.temporal.yml").read_text())
)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = {name: service for name, service in SERVICES.items() if name not in ONE_SHOT}
WORKERS = {
    name: service
    for name, service in SERVICES.items()
    if str(service.get("command", "")).startswith("longtake worker")
}


def _options(service: dict[str, Any], option: str) -> list[str]:
    words = shlex.split(service["command"])
    return [after for word, after in itertools.pairwise(words) if word == option]


def test_every_variable_has_a_default() -> None:
    assert "${" not in _with_defaults((ROOT / "docker-compose.temporal.yml").read_text())


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_a_long_running_service_is_checked_and_restarted(name: str) -> None:
    service = LONG_RUNNING[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert how["condition"] == wanted


@pytest.mark.parametrize("name", SERVICES)
def test_no_image_floats(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert tag not in {"", "latest"}


def test_no_port_is_open_to_the_network() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_polls_roles_that_exist_and_may_drain(name: str) -> None:
    worker = WORKERS[name]
    assert _options(worker, "--role")
    assert set(_options(worker, "--role")) <= set(ROLES)
    assert all(int(slots) > 0 for slots in _options(worker, "--slots"))
    assert "stop_grace_period" in worker


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_finds_the_server_and_sees_the_same_paths(name: str) -> None:
    worker = WORKERS[name]
    assert worker["environment"]["TEMPORAL_ADDRESS"] == "temporal:7233"
    assert worker["volumes"] == [
        f"work:{worker['environment']['LONGTAKE_WORK_STORE']}",
        "cache:/var/lib/longtake/cache",
        "jobs:/var/lib/longtake/jobs",
        "media:/media",
    ]
    folders = {name.partition(":")[2] for name in worker["volumes"]}
    made = next(line for line in DOCKERFILE.splitlines() if "mkdir -p" in line)
    assert folders <= set(made.split())
    home = re.search(r"LONGTAKE_HOME=(\S+)", DOCKERFILE)
    assert home is not None
    assert {f"{home[1]}/cache", f"{home[1]}/jobs"} <= folders


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_may_use_the_bucket_of_the_fleet(name: str) -> None:
    worker, server = WORKERS[name]["environment"], SERVICES["s3"]["environment"]
    assert worker["AWS_ENDPOINT_URL_S3"] == "http://s3:8333"
    assert WORKERS[name]["depends_on"]["s3"]["condition"] == "service_healthy"
    for secret in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert worker[secret] == server[secret]


def test_workflows_run_apart_from_heavy_work() -> None:
    roles = [set(_options(worker, "--role")) for worker in WORKERS.values()]
    assert {"control"} in roles
    assert all(served == {"control"} for served in roles if "control" in served)


def test_the_default_fleet_serves_a_job_without_a_gpu() -> None:
    default = [worker for worker in WORKERS.values() if "profiles" not in worker]
    served = {role for worker in default for role in _options(worker, "--role")}
    assert {"control", "io", "cpu"} <= served
    assert "gpu" not in served
    assert WORKERS["gpu"]["profiles"] == ["gpu"]


def test_fairness_is_that_of_the_embedded_server() -> None:
    from workers.server import DYNAMIC_CONFIG

    mounted = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert {key: entries[0]["value"] for key, entries in mounted.items()} == DYNAMIC_CONFIG


def test_the_life_cycle_rules_expire_parts_and_never_terms() -> None:
    """The rules are for the prefix that deploy/README.md names."""
    named = re.search(r"s3://media/([\w-]+)", (ROOT / "deploy/README.md").read_text())
    assert named is not None
    prefix = named[1]
    rules = json.loads((ROOT / "deploy/s3/lifecycle.json").read_text())["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    expiring = {rule["Filter"]["Prefix"] for rule in rules if "Expiration" in rule}
    assert expiring == {f"{prefix}/{own}/" for own in (OBJECTS, NOTES, TRIALS)}
    (abandoned,) = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    assert abandoned["Filter"] == {"Prefix": ""}, "also those of outputs"
    days = [rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule]
    assert min(days) >= 2 * 7, "`longtake gc` comes first"


def test_a_bucket_takes_the_life_cycle_rules() -> None:
    rules = json.loads((ROOT / "deploy/s3/lifecycle.json").read_text())
    with s3_server() as address:
        s3 = bucket(address, "media").s3
        s3.put_bucket_lifecycle_configuration(Bucket="media", LifecycleConfiguration=rules)
        taken = s3.get_bucket_lifecycle_configuration(Bucket="media")["Rules"]
    assert [rule["ID"] for rule in taken] == [rule["ID"] for rule in rules["Rules"]]


def test_what_the_compose_file_mounts_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_dir()
    for script in ("schema.sh", "namespace.sh"):
        subprocess.run(["sh", "-n", str(ROOT / "deploy/temporal" / script)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="containers run Linux")
def test_health_tells_a_running_process_from_a_stopped_one() -> None:
    spec = importlib.util.spec_from_file_location("healthcheck", ROOT / "deploy/healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    healthcheck = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(healthcheck)

    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert healthcheck.state_of(process.pid) not in healthcheck.STOPPED_OR_DEAD
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            assert healthcheck.state_of(process.pid) in healthcheck.STOPPED_OR_DEAD
        finally:
            process.kill()
