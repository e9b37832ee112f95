"""Links are read once and whole; a worker is not led where its operator did not allow."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import http.server
import itertools
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
from storage import download, pinned
from storage import http as links
from storage.cache import FingerprintCache
from storage.download import RANGE_BYTES
from storage.host_cache import HostCache
from storage.http import HttpStorage
from tests.storage.bucket import Bucket
from tests.storage.faulty import Fault, FaultyProxy

DATA = os.urandom(2 * RANGE_BYTES + 4321)


class Web(http.server.ThreadingHTTPServer):
    """A plain web server: no ranges, redirects where it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.data, self.says_size, self.etag = b"film" * 1000, True, '"one"'
        self.redirects: dict[str, str] = {}
        self.says_span: str | None = None
        self.gives_part: Callable[[int], bool] = lambda _: False
        """Whether the answer of this number is a part, whatever was asked for."""
        self.status = 200
        self.gets = 0
        self.pause_s = 0.0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Page(http.server.BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.gets += 1
        if target := self.server.redirects.get(self.path.partition("?")[0]):
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span, data = self.server.says_span, self.server.data
        if self.server.gives_part(self.server.gets):
            asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
            first, last = (int(number or len(data) - 1) for number in asked.split("-"))
            span, data = f"bytes {first}-{last}/{len(data)}", data[first : last + 1]
        self.send_response(206 if span else self.server.status)
        if span:
            self.send_header("Content-Range", span)
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        if self.server.says_size:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if not self.server.pause_s:
                self.wfile.write(data)
                return
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.pause_s)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


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


@pytest.fixture
def watched() -> Iterator[socket.socket]:
    """A listening socket of this host, of which nobody outside should learn."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def read(storage: HttpStorage, url: str) -> bytes:
    source = await storage.fingerprint(url)
    data = (await storage.localize(source)).read_bytes()
    assert source.sha256 == hashlib.sha256(data).hexdigest()
    return data


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
    "target",
    [
        "https://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://0177.0.0.1:{port}/",
        "https://2130706433:{port}/",
        "https://0.0.0.0:{port}/",
        "http://127.0.0.1:{port}/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://[fd00::1]/",
        "https://[::1]:{port}/",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/",
        "https://user:pass@127.0.0.1:{port}/",
    ],
)
async def test_neither_a_link_nor_a_redirect_leads_inside(
    http_storage: HttpStorage, web: Web, watched: socket.socket, target: str
) -> None:
    inside = target.format(port=watched.getsockname()[1])
    web.redirects["/film"] = inside
    for url in (inside, f"http://{web.host}/film?token=secret"):
        with pytest.raises((InputForbidden, InvalidJob)) as told:
            await http_storage.fingerprint(url)
        assert "secret" not in str(told.value)
        assert "pass" not in str(told.value).replace("password", "").replace("passwd", "")


async def test_a_name_that_means_something_else_the_second_time_leads_nowhere_else(
    http_storage: HttpStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, answers = socket.getaddrinfo, iter(["8.8.8.8"])

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return real(
            next(answers, "127.0.0.1") if host == "evil.test" else host, port, *rest, **more
        )

    went: list[object] = []

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        went.append(address)
        raise ConnectionRefusedError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(links, "TRIES", 1)
    with pytest.raises(StorageUnavailable):
        await http_storage.fingerprint("https://evil.test/film.mov")
    assert went == [("8.8.8.8", 443)]


async def test_a_private_name_is_refused_before_any_connection(
    http_storage: HttpStorage, watched: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def private(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "intranet.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", private)
    url = f"https://intranet.example:{watched.getsockname()[1]}/film.mov"
    with pytest.raises(InputForbidden, match="not a public address"):
        await http_storage.fingerprint(url)


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


async def test_the_certificate_must_be_of_the_name_in_the_link(
    tmp_path: Path, http_storage: HttpStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def here(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".test") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path, "media.test")))
    pinned.trusted.cache_clear()
    with Web() as web:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        web.socket = context.wrap_socket(web.socket, server_side=True)
        threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
        port = web.server_port
        monkeypatch.setenv("LONGTAKE_HTTP_ALLOW", f"media.test:{port},other.test:{port}")
        assert await read(http_storage, f"https://media.test:{port}/in.mov") == web.data
        with pytest.raises(StorageUnavailable, match="certificate"):
            await http_storage.fingerprint(f"https://other.test:{port}/in.mov")
        web.shutdown()
    pinned.trusted.cache_clear()


def certificate(folder: Path, name: str) -> Path:
    """A key and a certificate for a name, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(encoding))
    return folder / "cert.pem"
