"""Names and addresses: where a worker may go, and what is said of those that lead nowhere."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from longtake.errors import InputNotFound, InvalidJob, LongtakeError, StorageUnavailable
from storage import egress


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        *((address, False) for address in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "127.1.2.3")),
        *(
            (address, False)
            for address in ("169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1")
        ),
        *((address, False) for address in ("255.255.255.255", "192.0.2.1", "198.18.0.1")),
        *((address, False) for address in ("::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1")),
        *((address, False) for address in ("::ffff:10.0.0.1", "64:ff9b::7f00:1", "fec0::1")),
        *((address, False) for address in ("2002:7f00:1::", "fd00:ec2::254")),
        ("64:ff9b::808:808", True),
        *((address, False) for address in ("::127.0.0.1", "64:ff9b:1::7f00:1", "::ffff:0:7f00:1")),
        *((address, False) for address in ("168.63.129.16", "192.0.0.192", "100.100.100.200")),
    ],
)
def test_public_addresses_are_told_from_all_others(address: str, public: bool) -> None:
    assert egress.is_public(address) is public


@pytest.mark.parametrize(
    ("number", "error"),
    [(socket.EAI_NONAME, InputNotFound), (socket.EAI_AGAIN, StorageUnavailable)],
)
def test_a_name_that_does_not_exist_is_told_from_a_dns_that_is_away(
    monkeypatch: pytest.MonkeyPatch, number: int, error: type[LongtakeError]
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(number, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(error, match=r"exmaple\.com cannot be resolved"):
        egress.check("https://exmaple.com/film.mov?token=secret")


def test_what_cannot_be_a_name_is_no_link() -> None:
    with pytest.raises(InvalidJob, match="is no link"):
        egress.check(f"https://{'a' * 64}.com/film.mov")
