"""Where a worker may connect to for a link that somebody gave it (server-side request forgery).

`https://` on port 443, to public addresses. What else is allowed, an operator names: each
`host:port` of `LONGTAKE_HTTP_ALLOW`, and for webhooks of `LONGTAKE_WEBHOOK_ALLOW`, may be private,
of any port, and also plain `http://`.
A name is resolved here, and the connection goes to the address that was checked, not to the
name: a second answer of its DNS server changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from longtake.errors import InputForbidden, InputNotFound, InvalidJob, StorageUnavailable
from longtake.paths import shown
from longtake.settings import HTTP_ALLOW, allowed_hosts

_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is assigned of IPv6 for the internet (IANA). Elsewhere lie other ways to write an IPv4
address inside, of which each version of Python knows others."""
_OF_CLOUDS = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
"""Metadata services at addresses that look public: Azure's, and Oracle's among those that IETF
keeps for protocols."""


@dataclass(frozen=True)
class Place:
    """A checked place to connect to."""

    host: str
    port: int
    address: str
    """The IP address that was checked."""


def check(url: str, allowing: str = HTTP_ALLOW) -> Place:
    """Where `url` leads, if a worker may go there. `allowing`: the variable that allows more.

    Raises InvalidJob for what is no plain link, InputForbidden for what is not allowed,
    InputNotFound for a name that does not exist, StorageUnavailable if nobody can be asked.
    """
    host, port, scheme = _parse(url)
    allowed = (host, port) in allowed_hosts(allowing)
    ask = f"an operator may allow it: {allowing}={host}:{port}"
    if scheme != "https" and not allowed:
        raise InputForbidden(f"{shown(url)}: only https:// is allowed; {ask}")
    addresses = _resolve(host, port, url)
    for address in addresses:
        if not allowed and not is_public(address):
            named = host if str(address) == host else f"{host} is {address}, which"
            raise InputForbidden(f"{shown(url)}: {named} is not a public address; {ask}")
    if port != 443 and not allowed:
        raise InputForbidden(f"{shown(url)}: port {port} is not allowed; {ask}")
    return Place(host, port, addresses[0])


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large.

    Private, loopback, link-local (with the clouds' metadata services), shared, multicast,
    reserved and documentation addresses do not; nor do those that carry one of them inside.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in _OF_CLOUDS)


def _parse(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidJob(f"{shown(url)} is no link: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise InvalidJob(f"{shown(url)} is no link; write https://host/path")
    if parts.username or parts.password:
        raise InvalidJob(
            f"{shown(url)}: user and password in a link would stand in logs and histories; "
            "use a signed link"
        )
    return host.rstrip(".").lower(), port or _PORTS[parts.scheme], parts.scheme


def _resolve(host: str, port: int, url: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise InvalidJob(f"{shown(url)} is no link: {host} cannot be a name") from error
    except socket.gaierror as error:
        words = (
            f"{shown(url)}: the name {host} cannot be resolved ({error.strerror}); check the link"
        )
        if error.errno == socket.EAI_NONAME:  # the DNS has answered: there is none
            raise InputNotFound(f"{words}, and the workers' DNS") from error
        raise StorageUnavailable(f"{words}, or the workers' DNS") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
