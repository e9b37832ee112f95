"""Links are read once and whole, and never written to."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from longtake.errors import (
    InputCorrupt,
    InputForbidden,
    InputNotFound,
    InputTooLarge,
    InputUnsupported,
    InvalidJob,
    LongtakeError,
    StorageUnavailable,
)
from storage import download
from storage import http as links
from storage.cache import FingerprintCache
from storage.download import RANGE_BYTES
from storage.host_cache import HostCache
from storage.http import HttpStorage
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy
from tests.storage.web import Web, bytes_below, read

DATA = os.urandom(2 * RANGE_BYTES + 4321)


@pytest.mark.parametrize("fault", ["503", "reset", "truncate", None])
async def test_a_link_is_read_by_ranges_and_no_byte_twice(
    http_storage: HttpStorage,
    proxy: FaultyProxy,
    box: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault | None,
) -> None:
    monkeypatch.setenv("LONGTAKE_HTTP_ALLOW", proxy.url.removeprefix("http://"))
    box.s3.put_bucket_acl(Bucket=box.name, ACL="public-read")
    box.s3.put_object(Bucket=box.name, Key="in.mov", Body=DATA, ACL="public-read")
    turns = itertools.count()
    proxy.faults = lambda *_: fault if next(turns) % 2 == 1 else None
    assert await read(http_storage, f"{proxy.url}/{box.name}/in.mov") == DATA
    gave = sum(asked.gave for asked in proxy.asked if asked.span != "bytes=0-0")
    assert gave == len(DATA)


async def test_a_server_without_ranges_is_read_in_one_piece(
    http_storage: HttpStorage, web: Web
) -> None:
    web.redirects["/a"] = "/b"
    assert await read(http_storage, f"http://{web.host}/a") == web.data
    web.says_size = False
    assert await read(http_storage, f"http://{web.host}/c") == web.data


async def test_a_small_secret_is_read_and_kept_nowhere(
    http_storage: HttpStorage, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FIRST_PAUSE_S", 0)
    web.data, url = b"0123456789abcdef", f"http://{web.host}/film.key?signature=x"
    assert await http_storage.read_small(url, 16) == web.data
    assert bytes_below(tmp_path) == 0
    with pytest.raises(InputTooLarge, match=r"film\.key has more than 15 bytes"):
        await http_storage.read_small(url, 15)
    web.gives_part = lambda _: True
    with pytest.raises(StorageUnavailable, match="a part instead of all"):
        await http_storage.read_small(url, 16)


@pytest.mark.parametrize(
    ("size", "start", "words"),
    [(2 * RANGE_BYTES, RANGE_BYTES, "another range than asked"), ("*", 0, "a part instead of all")],
)
async def test_other_bytes_than_were_asked_for_are_not_taken_for_them(
    web: Web, size: int | str, start: int, words: str
) -> None:
    """A cache on the way that knows one range may give it to whoever asks for any."""
    web.data, web.says_span = os.urandom(4000), f"bytes 0-3999/{size}"
    link = links.look(f"http://{web.host}/in.mov")
    with pytest.raises(StorageUnavailable, match=words), link.read(start, None):
        pass


@pytest.mark.parametrize(
    ("part", "words"),
    [(lambda get: get == 1, "all instead of a range"), (lambda get: get > 1, "a part instead of")],
    ids=["whole", "part"],
)
async def test_a_server_that_does_not_do_what_it_said_is_not_asked_for_ever(
    http_storage: HttpStorage,
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
    part: Callable[[int], bool],
    words: str,
) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0)
    web.gives_part = part
    with pytest.raises(InputUnsupported, match=f"{words}.*{download.TRIES} times"):
        await http_storage.fingerprint(f"http://{web.host}/in.mov")
    assert web.gets == 1 + download.TRIES


@pytest.mark.parametrize("first", [True, False])
async def test_one_server_of_several_may_give_no_ranges(
    http_storage: HttpStorage, web: Web, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    """They take turns."""
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0)
    web.gives_part = lambda get: (get % 2 == 1) is first
    assert await read(http_storage, f"http://{web.host}/in.mov") == web.data


async def test_a_server_that_only_drips_holds_no_slot(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "SLOW_S", 0.3)
    link = links.look(f"http://{web.host}/in.mov")
    web.pause_s = 0.02
    with pytest.raises(StorageUnavailable, match="bytes in 0 s"), link.read(0, None) as pieces:
        deque(pieces, maxlen=0)


async def test_a_server_that_says_nothing_of_its_bytes_is_asked_anew_for_each_job(
    http_storage: HttpStorage, web: Web
) -> None:
    web.etag = ""
    url = f"http://{web.host}/in.mov"
    assert await read(http_storage, url) == web.data
    web.data = web.data[::-1]
    assert await read(http_storage, url) == web.data


async def test_a_source_replaced_while_the_job_runs_fails_with_words(
    http_storage: HttpStorage, web: Web
) -> None:
    url = f"http://{web.host}/in.mov?signature=secret"
    source = await http_storage.fingerprint(url)
    web.etag, web.data = '"two"', web.data[::-1]
    with pytest.raises(InputCorrupt, match="changed while the job ran") as told:
        await http_storage.localize(source)
    assert "secret" not in str(told.value)


async def test_a_look_tells_a_replaced_link_as_far_as_its_server_does(
    http_storage: HttpStorage, web: Web
) -> None:
    url = f"http://{web.host}/in.mov?signature=secret"
    source = await http_storage.fingerprint(url)
    assert await http_storage.is_unchanged(url, source.version)
    web.etag = '"two"'
    assert not await http_storage.is_unchanged(url, source.version)
    web.etag = ""
    silent = await http_storage.fingerprint(url)
    web.data = web.data[::-1]
    assert await http_storage.is_unchanged(url, silent.version), "the size is all that is told"
    web.data += b"more"
    assert not await http_storage.is_unchanged(url, silent.version)


@pytest.mark.parametrize("says_size", [True, False])
async def test_what_is_too_large_is_refused_and_leaves_nothing(
    http_storage: HttpStorage,
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    says_size: bool,
) -> None:
    monkeypatch.setenv("LONGTAKE_HTTP_MAX_SIZE", "1M")
    web.says_size, web.data = says_size, bytes(2 << 20)
    with pytest.raises(InputTooLarge, match="LONGTAKE_HTTP_MAX_SIZE"):
        await http_storage.fingerprint(f"http://{web.host}/in.mov")
    assert bytes_below(tmp_path) == 0


async def test_others_leave_the_cache_while_a_source_without_a_size_comes(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 1 << 20
    monkeypatch.setattr(download, "GROWTH_BYTES", size // 2)
    cache = HostCache(tmp_path / "cache", 3 * size, FingerprintCache(tmp_path / "cache"))
    storage = HttpStorage(cache)
    for name in "abc":
        web.data, web.etag = os.urandom(size), f'"{name}"'
        await asyncio.ensure_future(read(storage, f"http://{web.host}/{name}"))
        await asyncio.sleep(0)  # the task that held it lets go
    web.data, web.etag, web.says_size = os.urandom(3 * size // 2), '"long"', False
    assert await asyncio.ensure_future(read(storage, f"http://{web.host}/long")) == web.data
    left = sorted(path.stat().st_size for path in (tmp_path / "cache" / "sources").glob("*.data"))
    assert left == [size, 3 * size // 2]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, StorageUnavailable) for status in (429, 500, 503, 507, 522)),
        *((status, InputForbidden) for status in (401, 403)),
        *((status, InputNotFound) for status in (404, 410)),
        *((status, InputUnsupported) for status in (204, 300, 302, 304, 400, 451)),
    ],
)
def test_what_a_server_says_is_told_and_tried_again_where_that_helps(
    web: Web, monkeypatch: pytest.MonkeyPatch, status: int, error: type[LongtakeError]
) -> None:
    """A redirect may also lack a place to go to."""
    monkeypatch.setattr(links, "FIRST_PAUSE_S", 0)
    web.status, web.data = status, b""
    with pytest.raises(error, match=f"HTTP {status}"):
        links.look(f"http://{web.host}/in.mov")
    assert web.gets == (links.TRIES if error.retry else 1)


def test_endless_redirects_and_missing_pages_end_in_words(web: Web) -> None:
    web.redirects["/loop"] = "/loop"
    with pytest.raises(InputNotFound, match="redirected more than"):
        links.look(f"http://{web.host}/loop")
    assert web.gets == links.HOPS + 1


async def test_links_are_never_written_to(http_storage: HttpStorage) -> None:
    with pytest.raises(InvalidJob, match="links are only read"):
        http_storage.check_output("https://host/x.mp4?sig=secret", "in.mov", overwrite=True)
