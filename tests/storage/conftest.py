"""A bucket behind a proxy that misbehaves when it is told to, a plain web server, and the storages
that use them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import s3_client, trees
from storage.cache import FingerprintCache
from storage.folder_store import FolderStore
from storage.host_cache import HostCache
from storage.http import HttpStorage
from storage.s3 import S3Storage
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server
from tests.storage.faulty import FaultyProxy, faulty_proxy
from tests.storage.published import Place
from tests.storage.trees import attempts_in
from tests.storage.web import Web


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def proxy(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """The endpoint that the code under test speaks with."""
    with faulty_proxy(s3_address) as proxy:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        s3_client.client.cache_clear()
        yield proxy
        s3_client.client.cache_clear()


@pytest.fixture
def box(s3_address: str) -> Bucket:
    return bucket(s3_address, f"box-{secrets.token_hex(4)}")


@pytest.fixture
def cache(tmp_path: Path) -> HostCache:
    return HostCache(tmp_path / "cache", 1 << 30, FingerprintCache(tmp_path / "cache"))


@pytest.fixture
def s3(cache: HostCache, tmp_path: Path, proxy: FaultyProxy) -> S3Storage:
    return S3Storage(cache, FolderStore(tmp_path / "work"))


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    box: Bucket | None = None
    if request.param == "bucket":
        request.getfixturevalue("proxy")
        box = request.getfixturevalue("box")
    monkeypatch.setattr(trees, "ENTRY_AGE_S", 0)
    monkeypatch.setattr(trees, "SIDE_BY_SIDE", 1)
    return Place(attempts_in(tmp_path, box.name if box else None), tmp_path, box)


@pytest.fixture
def bucket_place(box: Bucket, proxy: FaultyProxy, tmp_path: Path) -> Place:
    return Place(attempts_in(tmp_path, box.name), tmp_path, box)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with Web() as web:
        monkeypatch.setenv("LONGTAKE_HTTP_ALLOW", web.host)
        threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
        yield web
        web.shutdown()


@pytest.fixture
def http_storage(cache: HostCache) -> HttpStorage:
    return HttpStorage(cache)
