"""Objects that appear become jobs: from a queue, from stdin, from a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Service]:
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": f"http://{server}",
        "LONGTAKE_HTTP_ALLOW": server,
    }
    with running(tmp_path_factory.mktemp("ingest"), **environment) as service:
        yield service


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two clips of a second."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("testsrc2", "smptebars"):
        picture = ("-f", "lavfi", "-i", f"{name}=s=64x36:r=10:d=1")
        run(*picture, "-c:v", "mpeg4", folder / f"{name}.mov")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def rules(service: Service, **rule: Any) -> Path:
    """A file of one rule: remux what comes."""
    job = {"kind": "command", "arguments": ["-c", "copy"]}
    path = service.out / "rules.yaml"
    path.write_text(json.dumps({"rules": [{"name": "films", "job": job, **rule}]}))
    return path


def lines(process: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    """What is told of the next objects; outputs in the same bucket tell of themselves as well."""
    assert process.stdout is not None
    told: list[dict[str, Any]] = []
    while len(told) < count:
        line = json.loads(process.stdout.readline())
        if "/out/" not in line["uri"].partition("s3://uploads")[2]:
            told.append(line)
    return told


@pytest.fixture
def queue(server: str) -> Iterator[tuple[Any, str]]:
    sqs = boto3.client(
        "sqs",
        endpoint_url=f"http://{server}",
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    url = sqs.create_queue(QueueName="arrivals")["QueueUrl"]
    yield sqs, url
    sqs.delete_queue(QueueUrl=url)


def test_events_of_a_queue_start_one_job_an_object(
    service: Service, server: str, queue: tuple[Any, str], clips: list[bytes]
) -> None:
    sqs, url = queue
    box: Bucket = bucket(server, "uploads")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    box.s3.put_bucket_notification_configuration(
        Bucket="uploads",
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": arn["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    asked = rules(service, under="s3://uploads/in/", suffixes=[".mov"], output="s3://uploads/out/")
    process = subprocess.Popen(
        service.command("ingest", asked, "--sqs", url, "--json"),
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        box.put("in/a film.mov", clips[0])
        (first,) = lines(process, 1)
        assert (first["uri"], first["found"]) == ("s3://uploads/in/a film.mov", "started")
        assert service.run("watch", first["job_id"], timeout=WAIT_S).returncode == 0
        made = box.sha256("out/a film.mov")
        # Twice, late, and out of order: an event of before the object was put.
        record = {
            "eventName": "ObjectCreated:Put",
            "eventTime": "2020-01-01T00:00:00.000Z",
            "s3": {"bucket": {"name": "uploads"}, "object": {"key": "in/a+film.mov", "size": 1}},
        }
        for _ in range(2):
            # What is no event among them keeps them from nothing.
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [{}, record]}))
        again = lines(process, 2)
        assert {(told["found"], told["job_id"]) for told in again} == {("done", first["job_id"])}
        # The object is another one: its job runs again. What no rule takes is passed over.
        box.put("in/a film.mov", clips[1])
        box.put("in/notes.txt", b"no film")
        told = {told["uri"].rpartition("/")[2]: told["found"] for told in lines(process, 2)}
        assert told == {"a film.mov": "started", "notes.txt": "no rule"}
        assert service.run("watch", first["job_id"], timeout=WAIT_S).returncode == 0
        assert box.sha256("out/a film.mov") != made
        jobs = {job["job_id"] for job in service.json("list", "--kind", "command")}
        assert jobs == {first["job_id"]}
        attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        until(
            lambda: (
                {"0"}
                == set(
                    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)[
                        "Attributes"
                    ].values()
                )
            ),
            30,
            "all messages are deleted",
        )
    finally:
        process.kill()
        process.wait()


def test_events_on_stdin_and_what_is_none(service: Service, clips: list[bytes]) -> None:
    asked = rules(service, under=str(service.out / "in"), output=str(service.out / "made"))
    for text, code, words in (
        ("", 0, ""),
        ("{}", 2, "an event has Records"),
        ('{}\n{"Records": []}\n{"Recor\n', 2, "passed over, as no event: 2"),
        ('{"Records": []}\n{"Event": "s3:TestEvent"}\n', 0, ""),
    ):
        done = subprocess.run(
            service.command("ingest", asked),
            env=service.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr


def test_a_folder_is_watched(service: Service, clips: list[bytes]) -> None:
    folder = service.out / "watched"
    folder.mkdir()
    asked = rules(service, under=str(folder), suffixes=[".mov"], output=str(service.out / "made"))
    process = subprocess.Popen(
        service.command("ingest", asked, "--watch", "--settled", "0.5", "--json"),
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        (folder / "film.mov.part").write_bytes(clips[0][:100])
        (folder / "film.mov.part").write_bytes(clips[0])
        shutil.move(folder / "film.mov.part", folder / "film.mov")
        (told,) = lines(process, 1)
        assert (told["uri"], told["found"]) == (str(folder / "film.mov"), "started")
        assert service.run("watch", told["job_id"], timeout=WAIT_S).returncode == 0
        assert (service.out / "made" / "film.mov").stat().st_size > 500
    finally:
        process.kill()
        process.wait()


def test_a_queue_that_is_not_there_is_told(service: Service) -> None:
    asked = rules(service, under="s3://uploads/in/", output="s3://uploads/out/")
    url = service.environment["AWS_ENDPOINT_URL"] + "/123456789012/nothing"
    done = service.run("ingest", asked, "--sqs", url)
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
