"""A real S3 server in a process of its own, and a bucket of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

_SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"{host}:{port}", flush=True)
sys.stdin.read()  # until whoever started us ends
"""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "longtake",
    "AWS_SECRET_ACCESS_KEY": "longtake",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Bucket:
    """A bucket, seen past all proxies."""

    name: str
    s3: Any

    def put(self, key: str, data: bytes) -> str:
        """Put an object; its URI."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def get(self, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def sha256(self, key: str) -> str:
        return hashlib.sha256(self.get(key)).hexdigest()

    def names(self) -> list[str]:
        return [
            each["Key"] for each in self.s3.list_objects_v2(Bucket=self.name).get("Contents", ())
        ]

    def open_uploads(self) -> list[str]:
        found = self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", ())
        return [each["UploadId"] for each in found]


@contextlib.contextmanager
def s3_server(**environment: str) -> Iterator[str]:
    """`host:port` of an S3 server; it ends with its standard input."""
    with s3_process(**environment) as (address, _):
        yield address


@contextlib.contextmanager
def s3_process(**environment: str) -> Iterator[tuple[str, int]]:
    """The same, with the number of its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the S3 server did not start"
        yield address, process.pid
    finally:
        process.kill()
        process.communicate()


def bucket(address: str, name: str) -> Bucket:
    """A new bucket on a server."""
    s3 = boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://{address}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(request_checksum_calculation="when_required"),
    )
    s3.create_bucket(Bucket=name)
    return Bucket(name, s3)
