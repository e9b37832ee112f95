"""`python -m storage.mirror s3://BUCKET/PREFIX FOLDER`: the objects of a prefix, as files."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from longtake.errors import InputNotFound, InputTooLarge, InvalidJob, LongtakeError
from storage.address import Address
from storage.s3_client import client, reading, where

MOST_OBJECTS = 200_000
PARALLEL = 16


def mirror(prefix: str, folder: Path) -> int:
    """Fetch all objects under an `s3://` prefix into a folder; says how many they are.

    Raises InvalidJob, InputNotFound, InputForbidden, InputTooLarge, StorageUnavailable.
    """
    address = Address.of(prefix.rstrip("/"))
    keys = _keys(address)
    if not keys:
        raise InputNotFound(f"there is nothing under {prefix} at {where()}; check the prefix")
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda key: _fetch(address, key, folder), keys))
    return len(keys)


def _keys(address: Address) -> list[str]:
    keys: list[str] = []
    pages = client().get_paginator("list_objects_v2")
    with reading(address):
        for page in pages.paginate(Bucket=address.bucket, Prefix=f"{address.key}/"):
            keys += [each["Key"] for each in page.get("Contents", ())]
            if len(keys) > MOST_OBJECTS:
                raise InputTooLarge(f"{address} holds more than {MOST_OBJECTS:,} objects")
    return [key for key in keys if not key.endswith("/")]


def _fetch(address: Address, key: str, folder: Path) -> None:
    target = (folder / key.removeprefix(f"{address.key}/")).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise InvalidJob(f"{key} is no name of a file in a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    one = Address(address.bucket, key)
    with reading(one):
        client().download_file(one.bucket, one.key, str(target))


def main(prefix: str, folder: str) -> int:
    """Fetch, and print how many objects that were, or the error, as one JSON document."""
    try:
        document: dict[str, object] = {"objects": mirror(prefix, Path(folder))}
    except LongtakeError as error:
        document = {"error": {"type": type(error).__name__, "message": error.message}}
    sys.stdout.write(json.dumps(document) + "\n")
    return 1 if "error" in document else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
