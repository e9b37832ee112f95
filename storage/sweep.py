"""`python -m storage.sweep`: remove what work store and host cache no longer need, and abort
uploads and undo half-published trees of jobs that never ended."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from longtake.errors import LongtakeError, ResourceExhausted, StorageUnavailable, UserError
from longtake.paths import scheme_of
from longtake.settings import Home, cache_bytes
from storage.cache import FingerprintCache
from storage.folder import Folder
from storage.host_cache import HostCache
from storage.local import LocalStorage
from storage.open_store import open_store
from storage.trees import settle
from storage.work import WorkStore


def main(arguments: list[str] | None = None) -> int:
    """Sweep the places of this environment; prints one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m storage.sweep", description=__doc__)
    parser.add_argument("--older-than-days", type=float, default=7.0)
    options = parser.parse_args(arguments)
    if options.older_than_days < 1:
        parser.error("--older-than-days must be 1 or more: running jobs need their parts")
    home, age_s = Home.from_environment(), options.older_than_days * 86_400
    try:
        document = sweep(home, age_s)
    except LongtakeError as error:
        document = {"error": {"type": type(error).__name__, "message": error.message}}
    sys.stdout.write(json.dumps(document) + "\n")
    return 1 if "error" in document else 0


def sweep(home: Home, age_s: float) -> dict[str, Any]:
    """Remove what was not used for so long; says how much that was. Raises StorageUnavailable,
    CapabilityMissing."""
    hashes = FingerprintCache(home.cache)
    cache = HostCache(home.cache, cache_bytes(), hashes)
    store = open_store(home, cache)

    def folder_of(output: str) -> Folder:
        if scheme_of(output) is None:
            return LocalStorage(hashes).folder(output)
        from storage.s3 import S3Storage  # boto3 takes a second to import

        return S3Storage(cache, store).folder(output)

    # First: what a tree replaced lies among the objects.
    undone = asyncio.run(_settle_trees(store, folder_of, age_s))
    removed, freed = map(sum, zip(store.sweep(age_s), cache.sweep(age_s), strict=True))
    return {"removed": removed, "bytes": freed, "uploads": undone + _abort_uploads(store, age_s)}


async def _settle_trees(store: WorkStore, folder_of: Callable[[str], Folder], age_s: float) -> int:
    """Settle the claims of jobs that never ended; returns how many.

    A bucket that does not answer is left for the next time, one that is forbidden by now is
    nothing that we could clean.
    """
    settled = 0
    for output, claim in await asyncio.to_thread(list, store.claims.older(age_s)):
        folder = folder_of(output)
        try:
            await settle(store, folder, claim)
        except StorageUnavailable:
            continue
        except (UserError, ResourceExhausted):
            pass  # also where what was replaced is gone from the store
        await asyncio.to_thread(store.claims.remove, folder.identity)
        settled += 1
    return settled


def _abort_uploads(store: WorkStore, age_s: float) -> int:
    """Abort what is still open in buckets. boto3 is imported only where something is."""
    if next(store.ledger.older(age_s), None) is None:
        return 0
    from storage.uploads import Uploads

    return Uploads(store.ledger).sweep(age_s)


if __name__ == "__main__":
    sys.exit(main())
