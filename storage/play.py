"""`python -m storage.play s3://BUCKET/PREFIX PORT`: what `longtake play` does for a bucket."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from longtake.cli.console import complain
from longtake.cli.play import show
from longtake.errors import InputForbidden, InputNotFound, LongtakeError
from longtake.player.files import BLOCK_BYTES, MASTER, File, is_name, no_package
from storage.address import Address
from storage.s3_client import client, reading

KEY_FILE = "--key-file="


class Bucket:
    """A package in a bucket: its objects are passed on, as they are asked for."""

    def __init__(self, prefix: str) -> None:
        """Raises InputNotFound if no package lies there, and what reading from a bucket raises."""
        self._prefix = prefix.rstrip("/")
        try:
            _look(Address.of(f"{self._prefix}/{MASTER}"))
        except InputNotFound as error:
            raise InputNotFound(f"{no_package(prefix)} ({error.message})") from error

    def find(self, name: str) -> File | None:
        """As `longtake.player.files.Files` says."""
        if not is_name(name):
            return None
        address = Address.of(f"{self._prefix}/{name}")
        try:
            size = _look(address)
        except (InputNotFound, InputForbidden):  # S3 forbids what is not there, at times
            return None
        return File(size, lambda first, length: _read(address, first, length))


def _look(address: Address) -> int:
    with reading(address):
        return client().head_object(Bucket=address.bucket, Key=address.key)["ContentLength"]


def _read(address: Address, first: int, length: int) -> Iterator[bytes]:
    part = f"bytes={first}-{first + length - 1}"
    with reading(address):
        body = client().get_object(Bucket=address.bucket, Key=address.key, Range=part)["Body"]
        yield from body.iter_chunks(BLOCK_BYTES)


def main(place: str, port: str, *options: str) -> int:
    """Serve until Ctrl-C; the exit code."""
    paths = [word.removeprefix(KEY_FILE) for word in options if word.startswith(KEY_FILE)]
    key_file = Path(paths[0]) if paths else None
    try:
        show(Bucket(place), place, int(port), key_file, opens="--no-open" not in options)
    except LongtakeError as error:
        complain(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
