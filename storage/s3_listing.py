"""The keys of a bucket."""

from __future__ import annotations

from collections.abc import Iterator

from storage.address import Address
from storage.s3_client import client, reading


def keys(bucket: str, prefix: str) -> Iterator[str]:
    """All keys that begin with `prefix`, in their order. Raises as a read does."""
    with reading(Address(bucket, prefix)):
        pages = client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for each in page.get("Contents", ()):
                yield each["Key"]
