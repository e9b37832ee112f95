"""Runs the command line as people do: as a process, against a service that stands in."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests import forked
from tests.client.fixtures import clip, control, cpu, temporal

__all__ = ["clip", "control", "cpu", "temporal"]


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Awaitable[Done]]


class Command:
    """`longtake` in a folder, with an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")
        }
        self.environment["LONGTAKE_HOME"] = str(folder / "home")
        self.environment["PYTHONPATH"] = str(Path(__file__).parents[2])

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "longtake", *arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str, given: str = "") -> Done:
        ended = await asyncio.to_thread(
            forked.run, arguments, self.environment, self.folder, given.encode()
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr)
        assert "Traceback" not in done.err, done.err
        return done


@pytest.fixture
def alone(clip: Path) -> Command:
    """The command where no service runs."""
    return Command(clip.parent)


@pytest.fixture
def longtake(alone: Command, temporal: Client) -> Command:
    """The command with a service."""
    alone.environment["TEMPORAL_ADDRESS"] = temporal.service_client.config.target_host
    alone.environment["TEMPORAL_NAMESPACE"] = temporal.namespace
    return alone
