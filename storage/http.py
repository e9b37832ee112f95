"""Links: `https://` sources, fetched by us through the host's cache, never by FFmpeg."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin

import httpx

from longtake.contracts.steps.common import Source
from longtake.errors import (
    InputForbidden,
    InputNotFound,
    InputTooLarge,
    InputUnsupported,
    InvalidJob,
    LongtakeError,
    StorageUnavailable,
)
from longtake.paths import shown
from longtake.settings import http_most_bytes
from storage.egress import check
from storage.folder import Folder
from storage.host_cache import HostCache
from storage.pinned import pinned, trusted
from storage.portions import Portions
from storage.remote import AnsweredOtherwise, changed, too_large
from storage.threads import transfer

HOPS = 5
TRIES = 4
FIRST_PAUSE_S = 0.2
"""Of one look; then its step fails, and is tried again later."""
SLOW_S, SLOW_BYTES = 60.0, 60_000
"""An answer that gives fewer bytes in so many seconds is broken off: the step's slot is for others,
and what came is kept. Silence ends it earlier, by the time-out."""
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
Told = TypeVar("Told")
_PASSING = {408, 425, 429}


@dataclass(frozen=True)
class Link:
    """What a server says of the bytes behind a link."""

    url: str
    etag: str | None
    changed_at: str | None
    size: int | None
    ranged: bool
    nonce: str = ""
    """For bytes of which the server says nothing that would change with them."""

    @property
    def version(self) -> str:
        """ETag, date and size, as far as they are told."""
        told = [self.etag or "", self.changed_at or "", "" if self.size is None else str(self.size)]
        return "|".join(told)

    @property
    def identity(self) -> str:
        """Link and version."""
        return f"{self.url} {self.version} {self.nonce}"

    @property
    def shown(self) -> str:
        """The link without its query: signatures stand there."""
        return shown(self.url)

    @contextlib.contextmanager
    def read(self, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        """Bytes of this version. Raises InputCorrupt if the server has another one by now."""
        span = f"bytes={start}-{'' if end is None else end - 1}" if self.ranged else None
        with _errors(self.url), _ask(self.url, span) as answer:
            now = _described(self.url, answer)
            if answer.status_code == 416 or now.version != self.version:
                raise changed(self.shown)
            if self.ranged and answer.status_code != 206:
                raise AnsweredOtherwise(f"{self.shown}: the server gave all instead of a range")
            if not self.ranged and answer.status_code == 206:
                raise AnsweredOtherwise(f"{self.shown}: the server gave a part instead of all")
            if _first(answer) != start:  # a cache may give other bytes than it was asked for
                raise AnsweredOtherwise(f"{self.shown}: the server gave another range than asked")
            yield self._bounded(answer)

    def _bounded(self, answer: httpx.Response) -> Iterator[bytes]:
        most, gave = http_most_bytes(), 0
        since, before = time.monotonic(), 0
        for piece in answer.iter_raw():  # as it comes: what is gathered is lost with the line
            gave += len(piece)
            if gave > most:
                raise _too_large(self.url)
            yield piece
            took = time.monotonic() - since
            if took < SLOW_S:
                continue
            if gave - before < SLOW_BYTES:
                raise StorageUnavailable(
                    f"{self.shown}: the server gave {gave - before} bytes in {took:.0f} s"
                )
            since, before = since + took, gave


class HttpStorage:
    """Links are read, and never written to."""

    def __init__(self, cache: HostCache) -> None:
        self._cache = cache

    async def fingerprint(self, uri: str) -> Source:
        """Pin what lies behind a link by ETag, date and size; it is fetched and hashed once.

        Raises InputNotFound, InputForbidden, InputTooLarge, InvalidJob, StorageUnavailable.
        """
        link = await transfer(lambda _: look(uri))
        sha256, size = await self._cache.sha256(link), link.size
        if size is None:
            held = await self._cache.hold(link)
            size = await transfer(lambda _: held.path.stat().st_size)
        version = f"{link.version} {link.nonce}"
        return Source(uri=uri, bytes=size, sha256=sha256, version=version)

    async def is_unchanged(self, uri: str, version: str) -> bool:
        """Compare ETag, date and size, as far as they are told.

        Raises InputNotFound, InputForbidden, StorageUnavailable.
        """
        pinned, _, nonce = version.rpartition(" ")
        return (await transfer(lambda _: look(uri, nonce))).version == pinned

    async def localize(self, source: Source) -> Path:
        """The bytes in the host's cache, kept there until the calling task ends.

        Raises InputCorrupt if the server says that they are no longer those that were pinned.
        """
        return await self._whole(await _pinned(source), source)

    async def borrow(self, source: Source) -> Path | Portions:
        """The same with bytes to come when they are read, where the server says of each answer
        which version it is of; or else all of them. Raises as `localize` does."""
        link = await _pinned(source)
        portions = None if link.nonce else await self._cache.portions(link)
        return portions or await self._whole(link, source)

    async def read_small(self, uri: str, most_bytes: int) -> bytes:
        """The bytes behind a link. Raises as `fingerprint` does."""
        return await transfer(lambda _: _tried(partial(_read_small, uri, most_bytes)))

    async def _whole(self, link: Link, source: Source) -> Path:
        held = await self._cache.hold(link)
        if held.sha256 != source.sha256:
            raise changed(link.shown)
        return held.path

    async def holds(self, uri: str, sha256: str, size: int) -> bool:
        """Raises InvalidJob: links are only read."""
        raise _only_read(uri)

    def check_output(self, uri: str, source: str, *, overwrite: bool) -> None:
        """Raises InvalidJob: links are only read."""
        raise _only_read(uri)

    def check_folder(self, uri: str, source: str, names: Sequence[str], *, overwrite: bool) -> None:
        """Raises InvalidJob: links are only read."""
        raise _only_read(uri)

    def make_folder(self, uri: str) -> None:
        """Raises InvalidJob."""
        raise _only_read(uri)

    def folder(self, uri: str) -> Folder:
        """Raises InvalidJob: links are only read."""
        raise _only_read(uri)

    def staging(self, uri: str, job_id: str) -> AbstractContextManager[Path]:
        """Raises InvalidJob."""
        raise _only_read(uri)

    def discard_staged(self, uri: str, job_id: str) -> None:
        """Nothing: nothing was ever staged."""

    async def upload(self, staged: Path, uri: str, sha256: str, job_id: str) -> None:
        """Raises InvalidJob."""
        raise _only_read(uri)

    def publish(
        self, staged: Path, uri: str, sha256: str, *, overwrite: bool, check: Callable[[], None]
    ) -> None:
        """Raises InvalidJob."""
        raise _only_read(uri)


async def _pinned(source: Source) -> Link:
    """What lies behind the link, if the server says that it is still what was pinned."""
    pinned, _, nonce = source.version.rpartition(" ")
    link = await transfer(lambda _: look(source.uri, nonce))
    if link.version != pinned:
        raise changed(link.shown)
    return link


def look(url: str, nonce: str | None = None) -> Link:
    """What the server says, without the bytes themselves.

    By GET of one byte, not by HEAD: a signed link is good for one method. Raises InputNotFound,
    InputForbidden, InputTooLarge, StorageUnavailable.
    """
    link = _tried(partial(_look, url))
    if link.size is not None and link.size > http_most_bytes():
        raise _too_large(url)
    if nonce is None and not link.etag and not link.changed_at:
        nonce = secrets.token_hex(8)
    return dataclasses.replace(link, nonce=nonce or "")


def _tried(ask: Callable[[], Told]) -> Told:
    for attempt in range(TRIES):
        try:
            return ask()
        except StorageUnavailable:
            if attempt == TRIES - 1:
                raise
            time.sleep(FIRST_PAUSE_S * 2**attempt)
    raise AssertionError


def _look(url: str) -> Link:
    with _errors(url), _ask(url, "bytes=0-0") as answer:
        return _described(url, answer)


def _read_small(url: str, most_bytes: int) -> bytes:
    data = b""
    with _errors(url), _ask(url, None) as answer:
        if answer.status_code != 200:
            raise AnsweredOtherwise(f"{shown(url)}: the server gave a part instead of all")
        for piece in answer.iter_raw():
            data += piece
            if len(data) > most_bytes:
                raise too_large(shown(url), most_bytes)
    return data


def _described(url: str, answer: httpx.Response) -> Link:
    """What an answer says of the whole, be it a range or all of it."""
    size: int | None = None
    span = _span(answer)
    if span and span[3] != "*":
        size = int(span[3])
    elif answer.status_code == 416:  # of an empty file not even one byte can be asked
        raise InputUnsupported(f"{shown(url)} is empty")
    elif "Content-Length" in answer.headers and answer.status_code == 200:
        size = int(answer.headers["Content-Length"])
    etag = answer.headers.get("ETag")
    ranged = answer.status_code == 206 and size is not None
    return Link(url, etag, answer.headers.get("Last-Modified"), size, ranged)


def _span(answer: httpx.Response) -> re.Match[str] | None:
    """Where the bytes of a partial answer lie in the whole, if it says so."""
    partial = answer.status_code == 206
    return _SPAN.fullmatch(answer.headers.get("Content-Range", "")) if partial else None


def _first(answer: httpx.Response) -> int | None:
    """Where an answer begins in the whole; None if a part does not say so, as it must (RFC 9110,
    15.3.7)."""
    if answer.status_code != 206:
        return 0
    span = _span(answer)
    return int(span[1]) if span else None


@contextlib.contextmanager
def _ask(url: str, span: str | None) -> Iterator[httpx.Response]:
    """The answer to a GET, behind redirects; each of them is checked as the link itself is."""
    # Encoded bytes would be others, of another length; so none are asked for.
    headers = {"Accept-Encoding": "identity", "User-Agent": "longtake"}
    headers |= {"Range": span} if span else {}
    at = url
    for _ in range(HOPS + 1):
        with _get(at, headers) as answer:
            if answer.has_redirect_location:
                at = urljoin(at, answer.headers["Location"])
                continue
            if answer.status_code not in (200, 206, 416):
                raise _refused(url, answer.status_code)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise InputUnsupported(f"{shown(url)}: the server sends it compressed")
            yield answer
            return
    raise InputNotFound(f"{shown(url)} is redirected more than {HOPS} times; use the last link")


@contextlib.contextmanager
def _get(url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """One request, to the address that was checked. The certificate must be the name's."""
    request = pinned("GET", url, check(url), headers)
    # A client of its own, without proxies of the environment: those would resolve the name anew.
    with httpx.Client(verify=trusted(), timeout=_TIMEOUT, trust_env=False) as client:
        answer = client.send(request, stream=True)
        try:
            yield answer
        finally:
            answer.close()


@contextlib.contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        if "location header" in words:  # httpx reads it, though it does not follow it
            raise InvalidJob(f"{shown(url)} is redirected to what is no link") from error
        if reason := _distrusted(error):
            raise InputForbidden(
                f"{shown(url)}: the server's certificate is not believed ({reason}); an operator "
                "may name other ones: SSL_CERT_FILE"
            ) from error
        raise StorageUnavailable(f"{shown(url)}: the connection failed: {words}") from error
    except httpx.InvalidURL as error:
        raise InvalidJob(f"{shown(url)} is no link: {error}") from error


def _distrusted(error: BaseException | None) -> str | None:
    """Why a certificate was refused, if that is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _refused(url: str, status: int) -> LongtakeError:
    if status in (404, 410):
        return InputNotFound(f"nothing lies at {shown(url)} (HTTP {status}); check the link")
    if status in (401, 403):
        return InputForbidden(
            f"{shown(url)} may not be read (HTTP {status}); has a signed link run out?"
        )
    if status in _PASSING or status >= 500:  # also what proxies say of a server that is away
        return StorageUnavailable(f"{shown(url)}: the server is not ready (HTTP {status})")
    return InputUnsupported(f"{shown(url)}: the server answered HTTP {status}")


def _too_large(url: str) -> InputTooLarge:
    return InputTooLarge(
        f"{shown(url)} is larger than {http_most_bytes() / 1e9:g} GB; an operator may allow "
        "more: LONGTAKE_HTTP_MAX_SIZE"
    )


def _only_read(uri: str) -> InvalidJob:
    return InvalidJob(f"{shown(uri)}: links are only read; write to a path or to s3://")
