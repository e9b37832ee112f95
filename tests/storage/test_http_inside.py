"""A worker is not led where its operator did not allow."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import (
    InputForbidden,
    InvalidJob,
    StorageUnavailable,
)
from storage import http as links
from storage import pinned
from storage.http import HttpStorage
from tests.storage.web import Web, read


@pytest.fixture
def watched() -> Iterator[socket.socket]:
    """A listening socket of this host, of which nobody outside should learn."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()


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
        with pytest.raises(InputForbidden, match=r"certificate is not believed.*not valid for"):
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
