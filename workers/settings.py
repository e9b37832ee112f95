"""What one worker process is told: by a person, by compose, or by its supervisor."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from longtake.errors import CapabilityMissing
from longtake.queues import ROLES, Role
from longtake.settings import check_environment, metrics_address
from media.children.capacity import default_slots

IO_SLOTS = 8
"""Downloads, probes and remuxes side by side: they wait more than they compute."""


@dataclass(frozen=True)
class WorkerSettings:
    """Roles of one process, how much it takes at once, and where its tasks come from."""

    roles: tuple[Role, ...]
    slots: int
    """Computing activities side by side, for each of the roles cpu, gpu and speech."""
    io_slots: int = IO_SLOTS
    group: str | None = None
    address: str | None = None
    """A server without TLS, such as the embedded one. Else Temporal's own environment says."""
    owns_server: bool = False
    """The server is our own: its retention and search attributes are set before polling."""
    ready: int | None = None
    """Descriptor to write a line to when this process polls."""
    parent: int | None = None
    """Drain when this process is no longer the parent."""
    metrics: str | None = None
    """host:port to serve metrics at."""

    def only(self, roles: Sequence[Role]) -> WorkerSettings:
        """The same with other roles."""
        return dataclasses.replace(self, roles=tuple(roles))

    def arguments(self) -> list[str]:
        """The command line that `parse` reads these settings from."""
        words = [word for role in self.roles for word in ("--role", role)]
        words += ["--slots", str(self.slots), "--io-slots", str(self.io_slots)]
        words += ["--group", self.group] if self.group else []
        words += ["--address", self.address] if self.address else []
        words += ["--owns-server"] if self.owns_server else []
        words += ["--ready", str(self.ready)] if self.ready is not None else []
        words += ["--parent", str(self.parent)] if self.parent is not None else []
        words += ["--metrics", self.metrics] if self.metrics else []
        return words

    @property
    def name(self) -> str:
        """`io+cpu`, for people."""
        return "+".join(self.roles)


def command(settings: WorkerSettings) -> list[str]:
    """The command of one worker process.

    `-P`: without it a `workers` package in the current folder would be run instead.
    """
    return [sys.executable, "-P", "-m", "workers", *settings.arguments()]


def parse(arguments: Sequence[str] | None = None) -> WorkerSettings:
    """Settings from a command line; exits with words if it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--role", action="append", choices=ROLES, required=True, dest="roles")
    parser.add_argument("--slots", type=_count, default=None, help="default: one a core")
    parser.add_argument("--io-slots", type=_count, default=IO_SLOTS)
    parser.add_argument("--group", type=_group, help="take tasks of this extra group instead")
    parser.add_argument("--address", help="host:port without TLS; default: TEMPORAL_ADDRESS")
    parser.add_argument("--owns-server", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ready", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--metrics", help=argparse.SUPPRESS)
    options = vars(parser.parse_args(arguments))
    try:
        check_environment()
    except CapabilityMissing as error:
        parser.exit(error.exit_code, f"{error.message}\n")
    asked = options.pop("roles")
    roles = tuple(role for role in ROLES if role in asked)
    slots = options.pop("slots") or default_slots()
    metrics = options.pop("metrics") or metrics_address()
    return WorkerSettings(roles=roles, slots=slots, metrics=metrics, **options)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _group(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: use small letters, digits and dashes")
    return text
