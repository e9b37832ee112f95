"""Two hosts without a common file system: what one finished is there for the other."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.dev_server import temporal_server
from tests.e2e.fleet import (
    STORE,
    Host,
    chunks,
    family,
    forget_work,
    freeze,
    objects,
    signal_all,
)
from tests.e2e.service import until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.speech import speech
from tests.storage.bucket import Bucket, bucket, s3_server
from tests.storage.faulty import Fault, FaultyProxy, faulty_proxy

pytestmark = [pytest.mark.slow, pytest.mark.kill]

OPTIONS = ("--video", "h264", "--crf", "30", "--speed", "fast", "--chunk", "2")
SOURCE = "s3://films/in/film.mp4"


@dataclass
class Fleet:
    """A Temporal server, a bucket, one host for decisions, and two that compute."""

    box: Bucket
    proxy: FaultyProxy
    office: Host
    one: Host
    other: Host
    sha256: str = ""
    chunks: int = 0

    def begin(self, job: str) -> str:
        """Start a job with nothing done before; its output's key."""
        forget_work(self.box)
        self.proxy.asked.clear()
        command = ("transcode", SOURCE, "-o", f"s3://films/{job}.mp4", *OPTIONS, "--id", job)
        done = self.office.run(*command, "--no-wait")
        assert done.returncode == 0, done.stderr
        return f"{job}.mp4"

    def finish(self, job: str) -> None:
        """It succeeds with the bytes of the undisturbed run, published once."""
        watched = self.office.run("watch", job, timeout=WAIT_S)
        assert watched.returncode == 0, watched.stderr
        self.check(f"{job}.mp4")

    def open_uploads(self) -> list[str]:
        """Keys of uploads that nobody has ended; what the store's own parts left, where an answer
        was lost, is gc's to abort."""
        uploads = self.box.s3.list_multipart_uploads(Bucket=self.box.name).get("Uploads", ())
        return [each["Key"] for each in uploads if not each["Key"].startswith(f"{STORE}/")]

    def check(self, key: str) -> None:
        """The output lies there once, right, and nothing half-done beside it."""
        found = self.box.s3.list_object_versions(Bucket=self.box.name, Prefix=key)
        assert len(found["Versions"]) == 1, "it was published twice"
        assert self.box.sha256(key) == self.sha256
        # An attempt that was replaced, for its heartbeats came late, still takes back its own.
        until(lambda: not self.open_uploads(), 30, "no upload is open")
        assert not [name for name in self.box.names() if "/uploads/" in name]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(s3_server())
        temporal = stack.enter_context(temporal_server())
        proxy = stack.enter_context(faulty_proxy(server))
        box = bucket(server, "films")
        box.s3.put_bucket_versioning(Bucket="films", VersioningConfiguration={"Status": "Enabled"})
        office, one, other = (
            Host(folder / name, temporal, box, proxy) for name in ("office", "one", "other")
        )
        for host in (office, one, other):
            stack.callback(host.stop)
        fleet = Fleet(box, proxy, office, one, other)
        box.put("in/film.mp4", film(folder).read_bytes())
        fleet.office.work("control")
        undisturbed(fleet)
        yield fleet


def film(folder: Path) -> Path:
    """12 s with noise: busy enough to be killed in the middle."""
    target = folder / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=12", "-f", "lavfi"),
        *("-i", "sine=440:r=48000:d=12", "-vf", "noise=alls=12:allf=t", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "50", "-crf", "24", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "64k", target),
    )
    return target


def undisturbed(fleet: Fleet) -> None:
    """What one host makes of the film on its own, and that it fetches nothing that it made."""
    worker = fleet.one.work("io", "cpu")
    command = ("transcode", SOURCE, "-o", "s3://films/reference.mp4", *OPTIONS)
    ended = fleet.office.run(*command, "--json", timeout=WAIT_S)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    fleet.sha256, fleet.chunks = done["outputs"][0]["sha256"], done["stats"]["chunks"]
    fleet.check("reference.mp4")
    assert len(chunks(fleet.box)) == fleet.chunks >= 5
    assert fleet.proxy.of("GET", f"{STORE}/objects/") == []
    worker.terminate()
    worker.wait(WAIT_S)


@contextlib.contextmanager
def working(host: Host, *roles: str) -> Iterator[psutil.Process]:
    """A media worker that is killed at the end, also while it is frozen."""
    worker = host.work("io", *(roles or ["cpu"]))
    try:
        yield worker
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = family(worker)
            signal_all(processes, signal.SIGKILL)
            psutil.wait_procs(processes, WAIT_S)


def cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def bad_network() -> Callable[[str, str], Fault | None]:
    """Every fourth request that is no download fails, or is done and its answer lost."""
    turns = itertools.count()
    kinds: tuple[Fault, ...] = ("503", "swallow", "reset")

    def faults(method: str, target: str) -> Fault | None:
        if method == "GET" or next(turns) % 4:
            return None
        return kinds[next(turns) % 3]

    return faults


def test_a_host_that_dies_leaves_its_finished_chunks_to_the_other(fleet: Fleet) -> None:
    """Also through a bad network."""
    with working(fleet.one) as worker, working(fleet.other):
        fleet.begin("killed")
        fleet.proxy.faults = bad_network()

        def under_way() -> bool:
            return len(chunks(fleet.box)) >= 2 and bool(fleet.one.encoders())

        until(under_way, 120, "two chunks done, another at work")
        worker.kill()
        worker.wait(WAIT_S)
        before = chunks(fleet.box)
        fleet.finish("killed")
        after = chunks(fleet.box)
    fleet.proxy.faults = lambda *_: None
    assert {asked.fault for asked in fleet.proxy.asked} >= {"503", "swallow", "reset"}
    assert before.items() <= after.items(), "a finished chunk was made again"
    assert len(after) == fleet.chunks
    read = [asked.target for asked in fleet.proxy.of("GET", "/chunk-")]
    assert len(read) == len(set(read)) < fleet.chunks, "the other fetched what it made itself"


def test_a_host_that_sleeps_and_wakes_publishes_nothing(fleet: Fleet) -> None:
    with working(fleet.one) as worker, working(fleet.other):
        key = fleet.begin("slept")
        until(lambda: chunks(fleet.box) and fleet.one.encoders(), 120, "a chunk done")
        frozen = freeze(worker)
        fleet.finish("slept")
        done = chunks(fleet.box)
        signal_all(frozen, signal.SIGCONT)
        until(lambda: not fleet.one.encoders(), 30, "the returned worker's encoder ended")
        assert chunks(fleet.box) == done
        fleet.check(key)


@pytest.mark.parametrize(
    ("method", "word", "number"),
    [("GET", f"{STORE}/leases/output", 3), ("PUT", "/films/frozen", 1)],
    ids=["after-its-last-look-at-the-term", "as-it-writes"],
)
def test_a_host_that_sleeps_while_it_publishes_publishes_once(
    fleet: Fleet, method: str, word: str, number: int
) -> None:
    """The request that it sleeps at is answered; it hears of that when another has published."""
    asleep, asked = threading.Event(), iter(range(1, 1000))
    with working(fleet.one) as worker:

        def fall_asleep(verb: str, target: str) -> None:
            if not asleep.is_set() and verb == method and word in target and next(asked) == number:
                os.kill(worker.pid, signal.SIGSTOP)
                asleep.set()

        fleet.proxy.faults = fall_asleep
        key = fleet.begin(f"frozen-{method.lower()}")
        until(asleep.is_set, 240, "it stands still while it publishes")
        with working(fleet.other):
            fleet.finish(key.removesuffix(".mp4"))
            done = chunks(fleet.box)
            before, worked_s = len(fleet.proxy.asked), cpu_s(worker)
            worker.resume()
            # Whether it asks for anything more depends on what it hears of first: the answer that
            # it waited for, or that its attempt is over.
            until(
                lambda: len(fleet.proxy.asked) > before or cpu_s(worker) > worked_s + 0.3,
                30,
                "it goes on where it stood",
            )
            worker.terminate()
            worker.wait(WAIT_S)
    fleet.proxy.faults = lambda *_: None
    assert chunks(fleet.box) == done
    fleet.check(key)


def test_a_talk_is_heard_by_two_hosts_and_by_the_one_that_is_left(fleet: Fleet) -> None:
    """Word for word as by one alone."""
    talk = fleet.office.out / "talk.wav"
    fleet.box.put("in/talk.wav", speech(270, seed=4).write(talk).read_bytes())
    command = ("transcribe", "s3://films/in/talk.wav", "-o")

    def heard() -> dict[str, Any]:
        return objects(fleet.box, "heard-")

    with working(fleet.one, "cpu", "speech"):
        done = fleet.office.run(*command, "s3://films/alone.json", timeout=WAIT_S)
        assert done.returncode == 0, done.stderr
    windows = len(heard())
    assert windows >= 3
    forget_work(fleet.box)
    with working(fleet.one, "cpu", "speech") as worker, working(fleet.other, "cpu", "speech"):
        words = ("s3://films/shared.json", "--id", "talk", "--no-wait")
        assert fleet.office.run(*command, *words).returncode == 0
        until(lambda: len(heard()) >= 2, 120, "two windows are heard")
        worker.kill()
        worker.wait(WAIT_S)
        before = heard()
        watched = fleet.office.run("watch", "talk", timeout=WAIT_S)
        assert watched.returncode == 0, watched.stderr
    assert before.items() <= heard().items(), "a finished window was heard again"
    assert len(heard()) == windows
    assert fleet.box.sha256("shared.json") == fleet.box.sha256("alone.json")
