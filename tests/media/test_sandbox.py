"""A child that touches media cannot call anybody, whatever it is asked to open."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import InputCorrupt
from media.children import launch
from media.children.isolate import in_child
from media.children.process import IDLE_NICENESS, NICENESS, Limits, ProcessFailed, run_ffmpeg
from media.children.sandbox import READER_LIMITS, WORDS, sandbox
from media.ffmpeg.tools import ffmpeg
from tests.media.engine import run
from tests.media.listener import listening
from tests.patience import WAIT_S

shut_in = pytest.mark.skipif(
    sandbox() == "none", reason="this system cannot take the network from a process"
)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="filters are for Linux on these processors",
)
def test_linux_takes_the_network_from_children() -> None:
    assert sandbox() in ("seccomp", "namespace")


def test_a_child_that_is_not_shut_in_is_told_as_the_weaker_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a system that refuses both ways: the judge tries, and believes no answer."""

    def as_it_is(parent: int, niceness: int, limits: str, program: list[str]) -> list[str]:
        return program

    monkeypatch.setattr(launch, "command", as_it_is)
    assert sandbox.__wrapped__() == "none"
    assert WORDS["none"].startswith("weaker")


@shut_in
async def test_an_encoder_cannot_connect_even_where_nothing_forbids_the_address() -> None:
    with listening() as listener:
        command = [ffmpeg(), "-nostdin", "-i", listener.url("film.mp4"), "-f", "null", "-"]
        with pytest.raises(ProcessFailed):
            await run_ffmpeg(command)
        assert listener.settled() == []
        await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=WAIT_S)
        assert b"GET /film.mp4" in listener.settled()[0], "the listener would have seen it"


@shut_in
async def test_a_reader_cannot_connect() -> None:
    with listening() as listener:
        with pytest.raises(InputCorrupt, match=r"PermissionError|unreachable"):
            await in_child(socket.create_connection, ("127.0.0.1", listener.port))
        assert listener.settled() == []


@shut_in
async def test_a_reader_reaches_no_local_server_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        if sandbox() == "seccomp":  # a network namespace does not hold paths
            with pytest.raises(InputCorrupt, match="PermissionError"):
                await in_child(_call_local, path)


def _call_local(path: str) -> None:
    socket.socket(socket.AF_UNIX).connect(path)


_WITHOUT_FILTERS = """
import socket, sys
sys.path.append(sys.argv[1])
import launch
launch._AUDIT = {}
print(launch.shut_in())
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), 5)
except OSError as error:
    print(error.errno)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_where_there_are_no_filters_a_namespace_keeps_the_child_in() -> None:
    with listening() as listener:
        words = [sys.executable, "-c", _WITHOUT_FILTERS, str(Path(launch.__file__).parent)]
        done = subprocess.run(
            [*words, str(listener.port)], capture_output=True, text=True, timeout=WAIT_S, check=True
        )
        mode, *outcome = done.stdout.split()
        if mode == "none":
            pytest.skip("this system lets us make no namespace")
        assert mode == "namespace"
        assert outcome == [str(errno.ENETUNREACH)]
        assert listener.settled() == []


ALLOWED, REFUSED, KILLED = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x80000000
X86, ARM = ("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)


@pytest.mark.parametrize(
    ("machine", "call", "arguments", "answer"),
    [
        (X86, 41, (socket.AF_INET, 1), REFUSED),
        (X86, 41, (10, 2), REFUSED),
        (X86, 41, (16, 3), REFUSED),
        (X86, 41, (1, 1), ALLOWED),
        (X86, 41, (1, 5 | 0x80000), ALLOWED),
        (X86, 41, (1, 2), REFUSED),
        (X86, 41, (1, 3), REFUSED),
        (X86, 42, (), REFUSED),
        (X86, 101, (), REFUSED),
        (X86, 310, (), REFUSED),
        (X86, 311, (), REFUSED),
        (X86, 425, (), REFUSED),
        (X86, 438, (), REFUSED),
        (X86, 0x40000000 + 41, (2, 1), REFUSED),
        (X86, 0, (), ALLOWED),
        (X86, 59, (), ALLOWED),
        (ARM, 198, (2, 1), REFUSED),
        (ARM, 198, (1, 1), ALLOWED),
        (ARM, 203, (), REFUSED),
        (ARM, 117, (), REFUSED),
        (ARM, 425, (), REFUSED),
        (ARM, 438, (), REFUSED),
        (ARM, 63, (), ALLOWED),
        (("x86_64", 0x40000003), 102, (1,), KILLED),
        (("aarch64", 0x40000028), 281, (2, 1), KILLED),
    ],
)
def test_what_the_filter_says_to_a_system_call(
    machine: tuple[str, int], call: int, arguments: tuple[int, ...], answer: int
) -> None:
    """The filter on a small model of the kernel's machine: also for the other processor."""
    name, architecture = machine
    seen = {0: call, 4: architecture} | {16 + 8 * i: value for i, value in enumerate(arguments)}
    value, at = 0, 0
    program = launch.filter_program(name)
    while True:
        code, yes, no, constant = program[at]
        at += 1
        if code == 0x20:
            value = seen[constant]
        elif code == 0x54:
            value &= constant
        elif code == 0x15:
            at += yes if value == constant else no
        elif code == 0x35:
            at += yes if value >= constant else no
        elif code == 0x06:
            assert constant == answer
            return
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


_TELLS = """
import json, os, resource, sys
from pathlib import Path
names = ("AS", "FSIZE", "NOFILE", "CORE")
limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
kept = {name: status[name] for name in ("NoNewPrivs", "Seccomp")}
told = {"limits": limits, "nice": os.nice(0), "secrets": "AWS_SECRET_ACCESS_KEY" in os.environ}
"""


def told_by_a_reader() -> dict[str, Any]:
    """What a child says of itself."""
    found: dict[str, Any] = {}
    exec(_TELLS, found)
    told: dict[str, Any] = json.loads(json.dumps(found["told"] | found["kept"]))
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="a process tells this of itself on Linux")
async def test_every_child_that_touches_media_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder and a reader, the two kinds there are (see the contracts of import-linter); and a
    reader of a job that waits, which yields to encoders."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for encoders")
    script = f"{_TELLS}\nPath(sys.argv[1]).write_text(json.dumps(told | kept))"
    await run_ffmpeg([sys.executable, "-I", "-c", script, str(tmp_path / "told")])
    encoder = json.loads((tmp_path / "told").read_text())
    reader = await in_child(told_by_a_reader)
    idle = await in_child(told_by_a_reader, niceness=IDLE_NICENESS)
    assert not encoder["secrets"]
    for child, most, niceness in (
        (encoder, Limits(), NICENESS),
        (reader, READER_LIMITS, NICENESS),
        (idle, READER_LIMITS, IDLE_NICENESS),
    ):
        held = {name: soft for name, (soft, hard) in child["limits"].items() if soft == hard}
        assert held == {
            "AS": most.memory_bytes,
            "FSIZE": most.file_bytes,
            "NOFILE": most.open_files,
            "CORE": 0,
        }
        assert child["nice"] == min(19, os.nice(0) + niceness)
        assert child["NoNewPrivs"] == "1"
        assert (child["Seccomp"] == "2") is (sandbox() == "seccomp")


_ASKS = """
import asyncio, os, shutil, sys
from pathlib import Path
from media.children.isolate import in_child
from media.children.process import run_ffmpeg

async def ask(folder):
    own = Path("/proc/self/environ")
    for number in (1, 2):
        (folder / f"reader-{number}").write_bytes(await in_child(Path.read_bytes, own))
        server = await in_child(os.getppid)
        os.kill(server, 9)  # another one is begun
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    await run_ffmpeg([shutil.which("cp"), str(own), str(folder / "encoder")])

asyncio.run(ask(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process tells this of itself on Linux")
def test_no_child_knows_the_credentials_of_its_worker(tmp_path: Path) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "s3cret", "TEMPORAL_API_KEY": "s3cret", "TOKEN": "s3cret"}
    subprocess.run(
        [sys.executable, "-c", _ASKS, str(tmp_path)],
        env={**os.environ, **secrets, "LC_ALL": "C.UTF-8"},
        check=True,
        timeout=WAIT_S,
    )
    for child in ("reader-1", "reader-2", "encoder"):
        known = (tmp_path / child).read_bytes()
        assert b"s3cret" not in known
        assert {b"PATH=" + os.fsencode(os.environ["PATH"]), b"LC_ALL=C.UTF-8"} <= set(
            known.split(b"\0")
        )


class Harm:
    """What a reader that was taken over by its file might answer."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.path,)


async def test_an_answer_is_data_whatever_a_reader_was_made_to_say(tmp_path: Path) -> None:
    with pytest.raises(InputCorrupt, match="made to do harm"):
        await in_child(Harm, str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


def test_probe_leaves_the_file_to_a_child_that_is_shut_in(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", film)
    told = (
        "import asyncio, pathlib, sys; from media.probing.probe import probe\n"
        "if __name__ == '__main__':\n"
        "    found = asyncio.run(probe(pathlib.Path(sys.argv[1])))\n"
        "    print(found.container, 'av' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", told, str(film)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["mov", "False"]
