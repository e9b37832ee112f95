"""A job from a bucket to a bucket, through a bad network and the death of its worker."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from storage.download import RANGE_BYTES
from tests.cases import inputs
from tests.cases.measure import pictures
from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server
from tests.storage.faulty import Fault, FaultyProxy, faulty_proxy

pytestmark = [pytest.mark.slow, pytest.mark.kill]

OPTIONS = ("--video", "h264", "--crf", "18", "--speed", "ultrafast", "--chunk", "2")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def proxy(server: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(server) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def box(server: str) -> Bucket:
    return bucket(server, "films")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, proxy: FaultyProxy) -> Iterator[Service]:
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "LONGTAKE_HTTP_ALLOW": proxy.url.removeprefix("http://"),
        "LONGTAKE_DRAIN_GRACE": "2",
    }
    with running(tmp_path_factory.mktemp("s3"), **environment) as service:
        yield service


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s that take some seconds to encode and more than one range and part to carry."""
    target = tmp_path_factory.mktemp("noise") / "noise.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=10", "-f", "lavfi"),
        *("-i", "sine=440:r=48000:d=10", "-vf", "noise=alls=60:allf=t", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "25", "-crf", "12", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "64k", target),
    )
    assert target.stat().st_size > 2 * RANGE_BYTES
    return target


def test_a_job_from_bucket_to_bucket_outlives_its_worker(
    service: Service, proxy: FaultyProxy, box: Bucket, noise: Path
) -> None:
    local = service.json("transcode", noise, "-o", service.out / "local.mp4", *OPTIONS)
    service.forget_work()
    source, output = box.put("in/noise.mov", noise.read_bytes()), "s3://films/out/noise.mp4"

    turns = itertools.count()
    lost = iter([True])

    def faults(method: str, target: str) -> Fault | None:
        if method == "POST" and "uploadId=" in target and next(lost, False):
            return "swallow"  # the one answer that says the output is there
        kinds: list[Fault] = ["503", "reset", "truncate"]
        turn = next(turns)
        if turn % 5:
            return None
        fault = kinds[turn // 5 % 3]
        return fault if fault != "truncate" or method == "GET" else "503"

    proxy.faults = faults
    service.start("transcode", source, "-o", output, *OPTIONS, "--id", "bucket")
    until(lambda: service.encoders() and service.chunks(), 120, "a chunk done, another at work")
    service.worker().send_signal(signal.SIGKILL)
    result = service.json("watch", "bucket")
    assert result["outputs"][0]["uri"] == output
    assert result["outputs"][0]["sha256"] == local["outputs"][0]["sha256"]
    assert box.sha256("out/noise.mp4") == local["outputs"][0]["sha256"]
    assert box.names() == ["in/noise.mov", "out/noise.mp4"]
    assert box.open_uploads() == []
    read = sum(asked.gave for asked in proxy.of("GET", "in/noise.mov"))
    assert read <= 1.1 * noise.stat().st_size
    assert len(proxy.of("POST", "uploadId=")) >= 1


def test_a_source_replaced_while_the_job_runs_fails_with_words(
    service: Service, proxy: FaultyProxy, box: Bucket, noise: Path
) -> None:
    proxy.faults = lambda *_: None
    source = box.put("in/second.mov", noise.read_bytes() + b"\0")
    service.start("transcode", source, "-o", "s3://films/no.mp4", *OPTIONS, "--id", "replaced")
    until(service.encoders, 120, "an encoder")
    box.put("in/second.mov", b"another film")
    watched = service.run("watch", "replaced", timeout=WAIT_S)
    assert watched.returncode == 1
    assert "changed while the job ran" in watched.stderr
    assert "no.mp4" not in box.names()
    assert box.open_uploads() == []


def test_each_night_a_batch_over_a_prefix_does_what_came_that_day(
    service: Service, proxy: FaultyProxy, box: Bucket, tmp_path: Path
) -> None:
    proxy.faults = lambda *_: None
    film = tmp_path / "film.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-c:v", "libx264", film)
    nightly = tmp_path / "nightly.yaml"
    nightly.write_text(
        "{kind: batch, input: s3://films/day/, output: s3://films/night, job: {preset: remux}}"
    )
    service.json("schedule", "create", "nightly", nightly, "--cron", "0 3 1 1 *")
    ran = []
    for nights, came in enumerate((("monday.mov", "a/talk.mov"), ("tuesday.mov",), ())):
        for name in came:
            box.put(f"day/{name}", film.read_bytes())
        assert service.run("schedule", "trigger", "nightly").returncode == 0
        until(partial(has_started, service, nights + 1), 60, "the night's batch")
        job_id = started(service)[0]
        assert service.run("watch", job_id, timeout=WAIT_S).returncode == 0
        lines = map(json.loads, box.get(f"night/{job_id}.jsonl").splitlines())
        ran.append([each["input"].removeprefix("s3://films/day/") for each in lines if each["ran"]])
    assert ran == [["a/talk.mov", "monday.mov"], ["tuesday.mov"], []]


def has_started(service: Service, jobs: int) -> bool:
    return len(started(service)) == jobs


def started(service: Service) -> list[str]:
    """The jobs of the schedule, the latest first."""
    return [run["job_id"] for run in service.json("schedule", "show", "nightly")["recent"]]


def test_the_same_command_again_encodes_only_what_was_replaced(
    service: Service, proxy: FaultyProxy, box: Bucket, tmp_path: Path
) -> None:
    proxy.faults = lambda *_: None

    def film(colour: str) -> bytes:
        target = tmp_path / f"{colour}.mp4"
        run("-f", "lavfi", "-i", f"color={colour}:s=64x48:r=25:d=1", "-c:v", "libx264", target)
        return target.read_bytes()

    source = box.put("in/cut.mov", film("red"))
    command = ("transcode", source, "-o", "s3://films/out/cut.mp4", *OPTIONS, "--overwrite")
    first = service.json(*command)
    assert first["sources"][0]["uri"] == source
    gets = len(proxy.of("GET", "in/cut.mov"))
    again = service.run(*command)
    assert again.returncode == 0, again.stderr
    assert "done before" in again.stderr
    assert len(proxy.of("GET", "in/cut.mov")) == gets, "to know this, nothing need be read"
    box.s3.delete_object(Bucket="films", Key="out/cut.mp4")
    restored = service.json(*command)
    assert restored["stats"]["chunks_reused"] == restored["stats"]["chunks"], "nothing is encoded"
    assert box.sha256("out/cut.mp4") == first["outputs"][0]["sha256"]
    box.put("in/cut.mov", film("blue"))
    replaced = service.json(*command)
    assert replaced["stats"]["chunks_reused"] == 0
    assert replaced["outputs"][0]["sha256"] != first["outputs"][0]["sha256"]
    assert box.sha256("out/cut.mp4") == replaced["outputs"][0]["sha256"]
    listed = {each["kind"] for each in service.json("list")}
    assert listed <= {"transcode", "batch"}, "looks are no jobs"
    box.s3.delete_object(Bucket="films", Key="in/cut.mov")
    gone = service.run(*command)
    assert gone.returncode == 2
    assert "there is no object" in gone.stderr
    assert service.json("status", replaced["job_id"])["state"] == "succeeded"


def test_a_programme_is_made_of_parts_in_a_bucket(
    service: Service, proxy: FaultyProxy, box: Bucket, tmp_path: Path
) -> None:
    talks = {}
    for name, hertz, rate in (("caller", 330, 24_000), ("answer", 440, 48_000)):
        talks[name] = tmp_path / f"{name}.flac"
        wave = f"aevalsrc='0.2*abs(sin(3*t))*sin(2*PI*{hertz}*t)':s={rate}:d=20"
        run("-f", "lavfi", "-i", wave, talks[name])
    options = ("--crossfade", "1s", "--target", "podcast", "--between", talks["answer"])
    local = service.json("stitch", *talks.values(), *options, "-o", service.out / "show.mp3")
    service.forget_work()
    turns = itertools.count()
    proxy.faults = lambda *_: "503" if next(turns) % 4 == 0 else None
    parts = [box.put(f"in/{path.name}", path.read_bytes()) for path in talks.values()]
    there = (*parts, *options[:-1], parts[1], "-o", "s3://films/out/show.mp3")
    service.start("stitch", *there, "--id", "show")
    objects = service.home / "work" / "objects"
    until(lambda: list(objects.glob("*/prepared-*")), 120, "a part is prepared")
    service.worker().send_signal(signal.SIGKILL)
    watched = service.run("watch", "show", timeout=WAIT_S)
    assert watched.returncode == 0, watched.stderr
    assert box.sha256("out/show.mp3") == local["outputs"][0]["sha256"]
    assert box.open_uploads() == []
    for name, path in talks.items():
        read = sum(asked.gave for asked in proxy.of("GET", f"in/{name}.flac"))
        assert read <= 1.1 * path.stat().st_size


def test_media_behind_two_gibibytes_is_read_once_though_its_worker_dies(
    service: Service, proxy: FaultyProxy, box: Bucket, tmp_path: Path
) -> None:
    """Case 7 of the cases from the field, in a bucket."""
    source, output = inputs.behind_2_gib(tmp_path), tmp_path / "out.mp4"
    size = source.stat().st_size
    proxy.faults = lambda *_: None
    proxy.files["/films/in/large.mp4"] = source

    def read() -> int:
        return sum(asked.gave for asked in proxy.of("GET", "in/large.mp4"))

    there = "s3://films/out/large.mp4"
    preset = ("--preset", "web-480p")
    service.start("transcode", "s3://films/in/large.mp4", "-o", there, *preset, "--id", "large")
    until(lambda: read() > size / 2, 480, "half of the source")
    service.worker().send_signal(signal.SIGKILL)
    assert read() < size, "the worker was killed too late"
    watched = service.run("watch", "large", timeout=WAIT_S)
    assert watched.returncode == 0, watched.stderr
    assert read() <= 1.1 * size
    spans = [asked.span for asked in proxy.of("GET", "in/large.mp4")]
    assert len(spans) > len(set(spans)), "nothing was on its way when the worker was killed"
    output.write_bytes(box.get("out/large.mp4"))
    assert len(pictures(output)) == 100
    result = service.json("status", "large")
    assert result["outputs"][0]["media"]["duration_s"] == pytest.approx(4.0, abs=0.03)
    assert result["stats"]["peak_memory_bytes"] < 300 << 20
    assert service.worker().memory_info().rss < 300 << 20
    assert box.open_uploads() == []


def test_what_cannot_be_is_said_at_once(service: Service, box: Bucket) -> None:
    taken = box.put("taken.mp4", b"somebody else's")
    for arguments, words in (
        (("s3://films/none.mov", "-o", "s3://films/x.mp4"), "there is no object"),
        (("s3://films/in/noise.mov", "-o", taken), "exists already"),
        (("s3://films/in/noise.mov", "-o", "s3://nobody/x.mp4"), "there is no bucket"),
    ):
        done = service.run("transcode", *arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr


def test_a_signed_link_is_read_and_its_signature_stands_in_no_log(
    service: Service, proxy: FaultyProxy, box: Bucket, noise: Path
) -> None:
    proxy.faults = lambda *_: None
    link = f"{proxy.url}/films/in/noise.mov?X-Amz-Signature=c0ffee"
    box.s3.put_object(
        Bucket="films", Key="in/noise.mov", Body=noise.read_bytes(), ACL="public-read"
    )
    remux = ("--preset", "remux")
    here = service.json("transcode", noise, "-o", service.out / "here.mp4", *remux)
    linked = service.json("transcode", link, "-o", service.out / "linked.mp4", *remux)
    assert linked["outputs"][0]["sha256"] == here["outputs"][0]["sha256"]
    refused = service.run("transcode", link.replace("noise", "none"), "-o", service.out / "no.mp4")
    assert refused.returncode == 2
    assert "nothing lies at" in refused.stderr
    forbidden = service.run("transcode", "https://127.0.0.1/x?c0ffee", "-o", service.out / "no.mp4")
    assert forbidden.returncode == 2
    assert "not a public address" in forbidden.stderr
    told = refused.stderr + forbidden.stderr + (service.home / "logs/service.log").read_text()
    assert "c0ffee" not in told
