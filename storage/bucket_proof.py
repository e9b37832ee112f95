"""Proof that a bucket can be a work store, before a worker relies on it.

Some endpoints take a condition and ignore it; then two workers would publish under one key, and
an attempt that was thought dead could take a term back. Such an endpoint is refused.
"""

from __future__ import annotations

import platform
import secrets
import tempfile
import threading
from pathlib import Path

from longtake.errors import CapabilityMissing
from storage.bucket import FREE, Prefix
from storage.bucket_store import TRIALS
from storage.local import sha256_of
from storage.s3_client import where
from storage.uploads import Condition

_ADVICE = (
    "Use an endpoint with conditional writes (If-None-Match and If-Match of PutObject, "
    "If-None-Match of CompleteMultipartUpload), or set LONGTAKE_WORK_STORE to a folder that all "
    "workers share"
)


def prove(uri: str) -> str:
    """Write, read, replace, list and remove an object. Returns what was proved, for people.

    Raises CapabilityMissing that says what cannot be, StorageUnavailable if nobody answers.
    """
    prefix = Prefix.of(uri)
    name = f"{TRIALS}/{platform.node() or 'host'}-{secrets.token_hex(8)}"
    prefix.write(name, b"first", FREE)  # also if its answer was lost: then it is there
    try:
        _prove(prefix, name)
    finally:
        prefix.remove(name)
    return f"{prefix} at {where()}: conditional writes, reads and lists are as they should be"


def _prove(prefix: Prefix, name: str) -> None:
    if prefix.write(name, b"second", FREE) or _bytes(prefix, name) != b"first":
        raise _ignored(prefix, "If-None-Match: * replaced what was there")
    found = prefix.look(name)
    if found is None or not found.sha256:
        raise CapabilityMissing(f"{prefix}: {where()} loses the metadata of objects. {_ADVICE}")
    stale: Condition = {"IfMatch": '"00000000000000000000000000000000"'}
    if prefix.write(name, b"third", stale) or _bytes(prefix, name) != b"first":
        raise _ignored(prefix, "If-Match replaced another version than the one it names")
    prefix.write(name, b"fourth", {"IfMatch": found.etag})
    if _bytes(prefix, name) != b"fourth":
        raise _ignored(prefix, "If-Match did not replace the version it names")
    if _upload(prefix, name) or _bytes(prefix, name) != b"fourth":
        raise _ignored(prefix, "an upload in parts, with If-None-Match: *, replaced what was there")
    if name not in {listed.name for listed in prefix.list(name)}:
        raise CapabilityMissing(f"{prefix}: {where()} does not list what lies there. {_ADVICE}")
    now = prefix.look(name)
    if now is not None:
        prefix.touch(name, now)


def _upload(prefix: Prefix, name: str) -> bool:
    with tempfile.NamedTemporaryFile(prefix="longtake-") as file:
        file.write(b"fifth")
        file.flush()
        path = Path(file.name)
        return prefix.give_in_parts(name, path, sha256_of(path), threading.Event())


def _bytes(prefix: Prefix, name: str) -> bytes | None:
    found = prefix.read(name)
    return found[0] if found else None


def _ignored(prefix: Prefix, what: str) -> CapabilityMissing:
    return CapabilityMissing(
        f"{where()} cannot be the work store {prefix}: {what}, so two workers could undo each "
        f"other's work. {_ADVICE}"
    )
