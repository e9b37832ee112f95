"""`python -m storage.sweep`: remove what work store and host cache no longer need, and abort
uploads of jobs that never ended."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from longtake.errors import LongtakeError
from longtake.settings import Home, cache_bytes
from storage.cache import FingerprintCache
from storage.host_cache import HostCache
from storage.open_store import open_store
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
    cache = HostCache(home.cache, cache_bytes(), FingerprintCache(home.cache))
    store = open_store(home, cache)
    removed, freed = map(sum, zip(store.sweep(age_s), cache.sweep(age_s), strict=True))
    return {"removed": removed, "bytes": freed, "uploads": _abort_uploads(store, age_s)}


def _abort_uploads(store: WorkStore, age_s: float) -> int:
    """Abort what is still open in buckets. boto3 is imported only where something is."""
    if next(store.ledger.older(age_s), None) is None:
        return 0
    from storage.uploads import Uploads

    return Uploads(store.ledger).sweep(age_s)


if __name__ == "__main__":
    sys.exit(main())
