"""Requests that go to the address that was checked, not to the name: whoever answers for the name
the next time changes nothing. The certificate must be the name's.
"""

from __future__ import annotations

import functools
import logging
import os
import ssl
from collections.abc import Mapping

import certifi
import httpx

from storage.egress import Place

# They log whole links, with the signatures in them.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


def pinned(
    method: str, url: str, place: Place, headers: Mapping[str, str], body: bytes | None = None
) -> httpx.Request:
    """A request for `url` to `place`. Raises httpx.InvalidURL."""
    target = httpx.URL(url)
    literal = f"[{place.address}]" if ":" in place.address else place.address
    return httpx.Request(
        method,
        target.copy_with(host=literal, port=place.port),
        headers={"Accept": "*/*", **headers, "Host": target.netloc.decode("ascii")},
        content=body,
        extensions={"sni_hostname": target.raw_host.decode("ascii")},
    )


@functools.cache
def trusted() -> ssl.SSLContext:
    """The certificates that are believed: Mozilla's, or those of `SSL_CERT_FILE`."""
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
