"""Ports for programs that cannot choose one themselves."""

from __future__ import annotations

import itertools
import os
import random

from workers.server import is_free

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
_FIRST = 10_000 + 1_000 * _WORKER
_next = itertools.count(random.randrange(1_000))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, and no other test is given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many such ports in a row.

    They lie below those that systems hand out, and each process that tests has a thousand of its
    own, of which it gives none twice before it has given all.
    """
    for _ in range(1_000):
        ports = [_FIRST + next(_next) % 1_000 for _ in range(count)]
        if ports[-1] == ports[0] + count - 1 and all(map(is_free, ports)):
            return ports[0]
    raise AssertionError(f"no {count} free ports in a row from {_FIRST} on")
