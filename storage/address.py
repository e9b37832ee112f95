"""Bucket and key of an `s3://` URI."""

from __future__ import annotations

from dataclasses import dataclass

from longtake.errors import InvalidJob


@dataclass(frozen=True)
class Address:
    """Bucket and key of an `s3://` URI. A key is what stands there: nothing is decoded."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> Address:
        """Raises InvalidJob for a URI without bucket or key."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key or key.endswith("/"):
            raise InvalidJob(f"{uri} names no object; write s3://bucket/path/file.mp4")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"
