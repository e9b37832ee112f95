"""What reads a queue, as `longtake ingest --sqs` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.storage.bucket import CREDENTIALS, s3_server
from tests.storage.faulty import FaultyProxy, faulty_proxy


@dataclass(frozen=True)
class Reader:
    """A reader of a queue, behind a network that may fail."""

    sqs: Any
    url: str
    proxy: FaultyProxy
    process: subprocess.Popen[str]

    def line(self) -> dict[str, str]:
        assert self.process.stdout is not None
        told: dict[str, str] = json.loads(self.process.stdout.readline())
        return told

    def settle(self, message: dict[str, str]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"done": message["receipt"]}) + "\n")
        self.process.stdin.flush()

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self) -> int:
        """Messages that nobody has been told."""
        name = "ApproximateNumberOfMessages"
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(told["Attributes"][name])


@pytest.fixture
def reader() -> Iterator[Reader]:
    with s3_server() as address, faulty_proxy(address) as proxy:
        sqs = boto3.client(
            "sqs",
            endpoint_url=f"http://{address}",
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        url = sqs.create_queue(QueueName="arrivals")["QueueUrl"]
        with subprocess.Popen(
            [sys.executable, "-m", "storage.sqs", url],
            env=os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": proxy.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield Reader(sqs, url, proxy, process)
            process.kill()


@pytest.mark.parametrize("fault", ["503", "reset"])
def test_a_queue_that_cannot_be_read_for_a_while_is_waited_for(reader: Reader, fault: Any) -> None:
    reader.send("first")
    reader.settle(first := reader.line())
    assert first["body"] == "first"
    reader.proxy.faults = lambda method, target: fault
    assert "cannot be read" in reader.line()["waits"]
    reader.send("second")
    reader.proxy.faults = lambda method, target: None
    assert reader.line() == {"goes_on": f"the queue {reader.url} is read again"}
    assert reader.line()["body"] == "second"


def test_no_more_messages_are_taken_than_can_be_settled_while_they_are_hidden(
    reader: Reader,
) -> None:
    reader.send(*map(str, range(25)))
    told = [reader.line() for _ in range(20)]
    time.sleep(1)
    assert reader.left() == 5
    for message in told:
        reader.settle(message)
    told += [reader.line() for _ in range(5)]
    assert {message["body"] for message in told} == {*map(str, range(25))}
