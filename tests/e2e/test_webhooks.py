"""Webhooks of real jobs on the embedded service: receivers that hang, and a worker that is killed
while it delivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.receiver import SECRET, Receiver, hang, receiving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("webhooks")
    told = {"LONGTAKE_WEBHOOK_ALLOW": receiver.host, "LONGTAKE_WEBHOOK_SECRET_DEFAULT": SECRET}
    with running(folder, LONGTAKE_DRAIN_GRACE="2", LONGTAKE_LOG_LEVEL="DEBUG", **told) as service:
        yield service


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", target),
    )
    return target


def copy(service: Service, clip: Path, receiver: Receiver, job_id: str, *more: str) -> Any:
    """A job that is next to no work."""
    words = ("command", clip, "-o", service.out / f"{job_id}.mkv", "--id", job_id)
    return (*words, "--notify", receiver.url, *more, "--", "-c", "copy")


def listed(service: Service, job_id: str) -> list[dict[str, Any]]:
    found = service.json("webhooks", "list", job_id)
    assert isinstance(found, list)
    return found


def told(service: Service, job_id: str) -> list[tuple[str, str]]:
    return [(line["type"], line["state"]) for line in listed(service, job_id)]


@pytest.mark.kill
def test_a_worker_killed_in_the_middle_of_a_delivery(
    service: Service, clip: Path, receiver: Receiver
) -> None:
    receiver.then = hang
    done = service.run(*copy(service, clip, receiver, "killed", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stats"]["retries"] == 0
    made = (service.out / "killed.mkv").stat()
    until(lambda: receiver.holding, 20, "a delivery is under way")
    (line, *_) = listed(service, "killed")
    assert (line["type"], line["state"]) == ("job.started", "trying")

    service.worker().kill()
    receiver.then = None
    receiver.let_go.set()
    until(lambda: "job.completed" in receiver.types(), 60, "another worker delivers")
    types = [type_ for type_ in receiver.types() if type_ != "job.progress"]
    assert types == ["job.started", *["job.stage"] * 3, "job.completed"]
    first = [got for got in receiver.got if got.type == "job.started"]
    assert len(first) > 1
    assert len({(got.id, got.body) for got in first}) == 1
    for got in receiver.taken:
        standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)
    after = (service.out / "killed.mkv").stat()
    assert (made.st_ino, made.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    # It took the event before its sender knows.
    until(lambda: {line["state"] for line in listed(service, "killed")} == {"delivered"}, 30, "all")


def test_events_are_listed_and_sent_again(service: Service, clip: Path, receiver: Receiver) -> None:
    receiver.then = None
    assert service.run(*copy(service, clip, receiver, "again", "--json")).returncode == 0
    until(lambda: ("job.completed", "delivered") in told(service, "again"), 30, "the last is sent")
    until(lambda: {state for _, state in told(service, "again")} == {"delivered"}, 30, "all")
    ids = [line["id"] for line in listed(service, "again")]
    assert service.json("webhooks", "replay", "again")["events"] == []
    receiver.taken.clear()
    assert service.json("webhooks", "replay", "again", "--event", ids[-1])["events"] == ids[-1:]
    until(lambda: [got.id for got in receiver.taken] == ids[-1:], 30, "the end again")
    assert service.json("webhooks", "replay", "again", "--all")["events"] == ids
    until(lambda: [got.id for got in receiver.taken] == [ids[-1], *ids], 30, "all of them again")
    plain = service.run("webhooks", "list", "again")
    assert len(plain.stdout.splitlines()) == 1 + len(ids)
    assert "in-the-query" not in plain.stdout
    assert service.run("webhooks", "list", "nothing").returncode == 2

    def jobs() -> set[str]:
        return {job["job_id"] for job in service.json("list")}

    until(lambda: "again" in jobs(), 30, "it is listed")
    assert "webhooks/again" not in jobs()


def test_no_secret_is_told_to_anybody(service: Service) -> None:
    """After all that was before: files of the service, its logs and its database among them."""
    secret = SECRET.removeprefix("whsec_").encode()
    service.run("down", timeout=WAIT_S)
    until(lambda: not service.processes(), 30, "the service is down")
    files = [path for path in service.home.rglob("*") if path.is_file()]
    assert any(b"webhooks/again" in path.read_bytes() for path in files), "they are looked into"
    assert not [path for path in files if secret in path.read_bytes()]
    logs = [path for path in (service.home / "logs").iterdir() if path.is_file()]
    assert logs
    assert not [path for path in logs if b"in-the-query" in path.read_bytes()]
