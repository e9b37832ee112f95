"""The work store that the environment names."""

from __future__ import annotations

from longtake.settings import Home
from storage.folder_store import FolderStore
from storage.host_cache import HostCache
from storage.work import WorkStore


def open_store(home: Home, cache: HostCache) -> WorkStore:
    """A folder, or a prefix of a bucket. Raises CapabilityMissing for anything else."""
    if home.bucket is None:
        return FolderStore(home.work_store)
    from storage.bucket_store import BucketStore  # boto3 takes a second to import

    return BucketStore(home.bucket, home.work_store, cache)
